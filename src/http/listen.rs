//! The listening socket, and what is set on each one that it takes.
//!
//! `[::]` takes IPv4 as well, for platforms reach us by either. On a machine without IPv6 it becomes
//! `0.0.0.0`. IPv4 peers then look like `::ffff:1.2.3.4`: see [`plain`].

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

pub fn listen(bind: IpAddr, port: u16) -> io::Result<TcpListener> {
    match open(SocketAddr::new(bind, port)) {
        Err(error) if bind.is_ipv6() && bind.is_unspecified() && no_ipv6(&error) => {
            open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
        }
        other => other,
    }
}

fn open(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn no_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT where IPv6 is compiled out, EADDRNOTAVAIL where it is switched off.
    error.raw_os_error() == Some(97) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// A frame must not wait for the next one, and a peer that has vanished must not hold a call for minutes.
pub(super) fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(IDLE).with_interval(PROBE).with_retries(PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNANSWERED))?;
    Ok(())
}

/// The address as people write it.
pub(super) fn plain(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// A burst of calls waits here while the accept loop is busy.
const BACKLOG: i32 = 1024;
/// A carrier sends 50 frames a second, so 15 s of nothing deserves a question. 15 + 3 × 5 = 30 s.
const IDLE: Duration = Duration::from_secs(15);
const PROBE: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;
/// What we sent and nobody confirmed: after so long the peer is gone.
const UNANSWERED: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_socket_sends_at_once_and_notices_a_vanished_peer() {
        let listener = listen(Ipv4Addr::LOCALHOST.into(), 0).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        let (_client, (socket, _)) = (client.unwrap(), accepted.unwrap());
        tune(&socket).unwrap();
        assert!(socket.nodelay().unwrap());
        let socket = SockRef::from(&socket);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), IDLE);
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNANSWERED));
    }
}
