//! The real binary on free ports, with everything it prints.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use patchcord::gate::mint::Minter;
use secrecy::SecretString;
use serde_json::{Value, json};
use sim::phone::{Phone, PhoneOptions};

pub const SECRET: &str = "CANARY-secret-0123456789abcdef0123456789";

/// Long enough for a busy machine, short enough to notice what hangs.
pub const LIMIT: Duration = Duration::from_secs(30);

pub struct Binary {
    child: Child,
    pub address: String,
    pub ops_address: String,
    printed: JoinHandle<String>,
    complained: JoinHandle<String>,
}

impl Binary {
    pub fn start(more: &[(&str, &str)]) -> Self {
        let usual = [
            ("RELAY_SECRET", SECRET),
            ("PORT", "0"),
            ("OPS_PORT", "0"),
            ("BIND", "127.0.0.1"),
            ("LOG_FORMAT", "json"),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_patchcord"));
        command.arg("serve").env_clear().envs(usual).envs(more.iter().copied());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, addresses) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let printed = thread::spawn(move || {
            let mut all = String::new();
            for line in stdout.lines().map_while(Result::ok) {
                if line.contains("listening") {
                    sender.send(line.clone()).ok();
                }
                all.push_str(&line);
                all.push('\n');
            }
            all
        });
        let mut stderr = child.stderr.take().unwrap();
        let complained = thread::spawn(move || {
            let mut all = String::new();
            stderr.read_to_string(&mut all).ok();
            all
        });
        let line = addresses.recv_timeout(LIMIT).expect("it listens");
        let [address, ops_address] = ["address", "ops_address"].map(|name| value(&line, name));
        Self { child, address, ops_address, printed, complained }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A phone with a token bound to its call.
    pub fn phone(&self, claims: &Value) -> PhoneOptions {
        let options = PhoneOptions::new(format!("ws://{}/stream/twilio", self.address));
        let token = token(claims, &options.ids.call_sid);
        options.token(&token)
    }

    pub async fn call(&self, claims: &Value) -> Phone {
        Phone::dial(self.phone(claims)).await.unwrap()
    }

    /// The body of a page on the inner port.
    pub async fn ops(&self, path: &str) -> String {
        fetch(&self.ops_address, path).await.1
    }

    /// A page on the outer port, with its status.
    pub async fn get(&self, path: &str) -> (u16, String) {
        fetch(&self.address, path).await
    }

    pub async fn metric(&self, name: &str) -> f64 {
        let page = self.ops("/metrics").await;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{page}")).parse().unwrap()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap().success());
    }

    /// How it ended, and everything it ever printed.
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.printed.join().unwrap() + &self.complained.join().unwrap())
    }
}

async fn fetch(address: &str, path: &str) -> (u16, String) {
    let tls = patchcord::outward::tls::for_requests(&[]);
    let client =
        reqwest::Client::builder().tls_backend_preconfigured((*tls).clone()).no_proxy().build().unwrap();
    let response = client.get(format!("http://{address}{path}")).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

pub fn token(claims: &Value, call: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut all = json!({ "iss": "https://app.example.com", "aud": "patchcord", "sub": call, "iat": now, "exp": now + 60 });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    Minter::new(&SecretString::from(SECRET)).sign(&all)
}

/// A field of a log line, in either format.
fn value(line: &str, name: &str) -> String {
    let rest = line.split(&format!("{name}\":\"")).nth(1).or_else(|| line.split(&format!(" {name}=")).nth(1));
    rest.unwrap().split(['"', ' ']).next().unwrap().to_owned()
}
