//! The least that any relay does: read a frame, change its mask, write it.
//!
//! No JSON, no base64, no state. It is driven by plain WebSocket clients whose frames are as long as a carrier's,
//! at the same rate, against a server that sends each one back.

use std::{
    fs, io,
    process::{Command, Stdio},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, interval, sleep, timeout},
};
use tokio_tungstenite::{accept_async, client_async, tungstenite::Message};

/// The child: a splice-only relay on a free port, towards this address. Prints its port.
pub fn serve(upstream: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address").port());
        while let Ok((caller, _)) = listener.accept().await {
            let upstream = upstream.to_owned();
            tokio::spawn(async move { splice(caller, &upstream).await.ok() });
        }
    });
}

async fn splice(caller: TcpStream, upstream: &str) -> io::Result<()> {
    caller.set_nodelay(true)?;
    let mut caller = accept_async(caller).await.map_err(io::Error::other)?.into_inner();
    let leg = TcpStream::connect(upstream).await?;
    leg.set_nodelay(true)?;
    let mut leg =
        client_async(format!("ws://{upstream}/"), leg).await.map_err(io::Error::other)?.0.into_inner();
    let (mut from_caller, mut from_leg) = (vec![0; 8 << 10], vec![0; 8 << 10]);
    let mut held = 0;
    loop {
        tokio::select! {
            read = caller.read(&mut from_caller[held..]) => {
                let end = held + read?;
                if end == held {
                    return Ok(());
                }
                let whole = change_masks(&mut from_caller[..end]);
                leg.write_all(&from_caller[..whole]).await?;
                from_caller.copy_within(whole..end, 0);
                held = end - whole;
            }
            read = leg.read(&mut from_leg) => match read? {
                0 => return Ok(()),
                read => caller.write_all(&from_leg[..read]).await?,
            }
        }
    }
}

/// Gives each whole frame another mask, in place. Returns where the last whole frame ends.
fn change_masks(bytes: &mut [u8]) -> usize {
    let mut at = 0;
    while let Some([_, length, ..]) = bytes.get(at..).filter(|rest| rest.len() >= 2) {
        let (head, length) = match length & 0x7f {
            126 if bytes.len() < at + 4 => break,
            126 => (4, usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]))),
            length => (2, usize::from(length)),
        };
        let (mask, data) = (at + head, at + head + 4);
        if bytes.len() < data + length {
            break;
        }
        for (i, old) in (0..4).map(|i| (i, bytes[mask + i])).collect::<Vec<_>>() {
            bytes[mask + i] = old ^ NEW[i];
        }
        // Data under the old mask, under the new one: both at once.
        for (i, byte) in bytes[data..data + length].iter_mut().enumerate() {
            *byte ^= NEW[i % 4];
        }
        at = data + length;
    }
    at
}

const NEW: [u8; 4] = [0x5a, 0x17, 0xc3, 0x88];

/// CPU milliseconds per call-second of the splice-only relay under this load.
pub fn measure(calls: u32, seconds: u64) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(async {
        let echo = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let upstream = echo.local_addr().expect("an address").to_string();
        let server = tokio::spawn(async move {
            while let Ok((tcp, _)) = echo.accept().await {
                tcp.set_nodelay(true).ok();
                tokio::spawn(send_back(tcp));
            }
        });
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["floor", &upstream])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the floor starts");
        let mut port = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().expect("piped")), &mut port)
            .expect("its port");
        let end = Instant::now() + SETTLE + Duration::from_secs(seconds);
        for _ in 0..calls {
            let address = format!("127.0.0.1:{}", port.trim());
            tokio::spawn(async move { talk(&address, end).await.ok() });
            sleep(Duration::from_millis(1)).await;
        }
        sleep(SETTLE).await;
        let (before, start) = (cpu(child.id()), Instant::now());
        sleep(Duration::from_secs(seconds)).await;
        let used = (cpu(child.id()) - before) * 1_000.0 / start.elapsed().as_secs_f64() / f64::from(calls);
        child.kill().ok();
        child.wait().ok();
        server.abort();
        used
    })
}

async fn send_back(tcp: TcpStream) {
    let Ok(mut socket) = accept_async(tcp).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() || socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn talk(address: &str, end: Instant) -> io::Result<()> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let (mut socket, _) = client_async(format!("ws://{address}/"), tcp).await.map_err(io::Error::other)?;
    let frame = "m".repeat(FRAME);
    let mut ticks = interval(Duration::from_millis(20));
    while Instant::now() < end {
        tokio::select! {
            _ = ticks.tick() => socket.send(Message::text(frame.as_str())).await.map_err(io::Error::other)?,
            Some(_) = socket.next() => {}
        }
    }
    timeout(SETTLE, socket.close(None)).await.ok();
    Ok(())
}

fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap_or("").split_whitespace().map(|f| f.parse().unwrap_or(0.0)).collect();
    (fields.get(11).unwrap_or(&0.0) + fields.get(12).unwrap_or(&0.0)) / 100.0
}

/// Between a carrier's message (382 bytes) and what becomes of it (270).
const FRAME: usize = 330;
const SETTLE: Duration = Duration::from_secs(2);
