//! A name may say one address when it is asked and another a moment later. Where does the connection go?
//!
//! Traffic stays on the loopback interface: here 127.0.0.2 plays the public address, and 127.0.0.1 the private one.

use std::{
    collections::VecDeque,
    future::Future,
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    pin::Pin,
    sync::{Arc, Mutex},
    thread,
    time::SystemTime,
};

use patchcord::outward::{
    address::{Forbidden, Guarded, Names, check, client_with, is_public},
    tls,
    webhooks::Webhooks,
};
use reqwest::Client;
use secrecy::SecretString;

const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Gives one answer after the other; the last one stays.
#[derive(Default)]
struct Fickle {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names for Fickle {
    fn addresses(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
        self.asked.lock().unwrap().push(name);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() };
        Box::pin(async move { Ok(answer.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()) })
    }
}

/// Two services on the same port. The public one answers and hangs up each time, so that each request needs a
/// connection of its own; of the private one we see whether anybody came.
struct Scene {
    names: Arc<Fickle>,
    client: Client,
    url: String,
    private: TcpListener,
}

impl Scene {
    fn new<const N: usize>(answers: [&[IpAddr]; N]) -> Self {
        let (public, private) = loop {
            let private = TcpListener::bind((PRIVATE, 0)).unwrap();
            // The port may be taken on the other address.
            if let Ok(public) = TcpListener::bind((PUBLIC, private.local_addr().unwrap().port())) {
                break (public, private);
            }
        };
        private.set_nonblocking(true).unwrap();
        thread::spawn(move || {
            for connection in public.incoming() {
                let mut connection = connection.unwrap();
                let mut head = [0; 2_048];
                let _ = connection.read(&mut head);
                let _ = connection
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\npublic");
            }
        });
        let names = Arc::new(Fickle::default());
        names.answers.lock().unwrap().extend(answers.map(<[IpAddr]>::to_vec));
        let tls = Arc::unwrap_or_clone(tls::for_requests(&[]));
        let client = client_with(Guarded::new(names.clone(), |ip| ip != PRIVATE), tls).unwrap();
        let url = format!("http://app.example.com:{}/", private.local_addr().unwrap().port());
        Self { names, client, url, private }
    }

    /// The public service was reached, or nobody.
    async fn reaches(&self) -> bool {
        match self.client.get(&self.url).send().await {
            Ok(response) => {
                assert_eq!(response.text().await.unwrap(), "public");
                true
            }
            Err(error) => {
                let why = format!("{error:?}");
                assert!(why.contains("NotPublic"), "{why}");
                false
            }
        }
    }

    fn is_over_without_a_guest(&self, asked: usize) {
        assert_eq!(self.names.asked.lock().unwrap().len(), asked);
        assert_eq!(self.private.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody came");
    }
}

#[tokio::test]
async fn a_name_that_turns_private_later_is_not_followed_there() {
    let scene = Scene::new([&[PUBLIC], &[PRIVATE]]);
    assert!(scene.reaches().await);
    assert!(!scene.reaches().await);
    assert!(!scene.reaches().await);
    scene.is_over_without_a_guest(3);
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked_and_nobody_asks_again() {
    // Whoever asked once to check and once to connect would get the private address.
    let scene = Scene::new([&[PUBLIC], &[PRIVATE], &[PUBLIC], &[PRIVATE]]);
    assert!(scene.reaches().await);
    assert!(!scene.reaches().await);
    assert!(scene.reaches().await);
    scene.is_over_without_a_guest(3);
    assert!(scene.names.asked.lock().unwrap().iter().all(|name| name == "app.example.com"));
}

#[tokio::test]
async fn one_private_address_among_public_ones_is_enough_to_refuse_a_name() {
    let scene = Scene::new([&[PUBLIC, PRIVATE], &[PRIVATE, PUBLIC], &[PUBLIC, PUBLIC, PRIVATE]]);
    for _ in 0..3 {
        assert!(!scene.reaches().await);
    }
    scene.is_over_without_a_guest(3);
}

#[tokio::test]
async fn a_public_service_that_is_down_is_not_looked_for_elsewhere() {
    // Nobody listens on this public address; what the name would say next does not matter.
    let scene = Scene::new([&["127.0.0.3".parse().unwrap()], &[PRIVATE]]);
    let error = format!("{:?}", scene.client.get(&scene.url).send().await.unwrap_err());
    assert!(!error.contains("NotPublic"), "{error}");
    scene.is_over_without_a_guest(1);
}

#[tokio::test]
async fn what_is_sent_to_main_apps_goes_through_the_same_guard() {
    let private = TcpListener::bind((PRIVATE, 0)).unwrap();
    private.set_nonblocking(true).unwrap();
    let secret = SecretString::from("0123456789abcdef0123456789abcdef");
    let tls = Arc::unwrap_or_clone(tls::for_requests(&[]));
    // This name is refused by its text already; here it plays one that was not.
    let url = format!("http://localhost:{}/", private.local_addr().unwrap().port());
    let strict = Webhooks::new(false, tls, [&secret]).unwrap();
    let post = strict.post(url.parse().unwrap(), "msg_1", "{}".into(), None, SystemTime::now());
    let error = post.send().await.unwrap_err();
    assert!(format!("{error:?}").contains("NotPublic"), "{error:?}");
    assert_eq!(private.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody came");
    assert_eq!(check(&url.replace("http:", "https:"), false), Err(Forbidden::NotPublic));
    assert!(!is_public(PRIVATE));
}
