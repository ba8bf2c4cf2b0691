//! `check`: what would stop calls, and what to do about it.
//!
//! Everything is looked at, one line each, whatever the first finding is.

mod agents;

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::{
    Client, StatusCode,
    header::{AUTHORIZATION, DATE, HeaderName},
};
use secrecy::ExposeSecret;

use crate::{
    http,
    outward::tls,
    settings::{Provider, Settings, open_files},
};

/// One thing that was looked at: fine, worth a look, or a reason why calls fail.
enum Finding {
    Fine(String),
    Odd(String),
    Bad(String),
}

use Finding::{Bad, Fine, Odd};

/// With the path of an agent file, its legs are tried as well.
pub fn run(agent: Option<&str>) -> ExitCode {
    let settings = match Settings::read(std::env::vars_os()) {
        Ok(settings) => settings,
        Err(problems) => {
            writeln!(io::stderr(), "patchcord: the settings need a hand:\n{problems}").ok();
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let findings = runtime.block_on(async {
        let mut findings = look(&settings).await;
        if let Some(path) = agent {
            findings.extend(agents::look(&settings, path).await);
        }
        findings
    });
    let mut bad = false;
    for finding in findings {
        let (mark, text) = match finding {
            Fine(text) => ("ok  ", text),
            Odd(text) => ("look", text),
            Bad(text) => {
                bad = true;
                ("BAD ", text)
            }
        };
        writeln!(io::stdout(), "{mark}  {text}").ok();
    }
    if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![Fine("settings: all of them fit together".to_owned())];
    findings.push(Fine(format!("prices: of {}", settings.prices.date())));
    findings.extend(settings.warnings.iter().map(|warning| Odd(warning.clone())));
    findings.extend(
        open_files::limit().and_then(|limit| open_files::warning(limit, settings.max_calls)).map(Odd),
    );
    findings.push(port(settings, "PORT", settings.port));
    findings.push(port(settings, "OPS_PORT", settings.ops_port));
    findings.extend(provider(&OPENAI, &settings.openai).await);
    // The others are looked at by those who use them.
    let others =
        [(&DEEPGRAM, &settings.deepgram), (&GROQ, &settings.groq), (&ELEVENLABS, &settings.elevenlabs)];
    for (look, own) in others {
        if own.key.is_some() {
            findings.extend(provider(look, own).await);
        }
    }
    findings
}

/// How a provider is asked whether it knows our key.
struct Look {
    name: &'static str,
    variable: &'static str,
    path: &'static str,
    header: HeaderName,
    /// Before the key.
    scheme: &'static str,
}

const OPENAI: Look = Look {
    name: "openai",
    variable: "OPENAI_API_KEY",
    path: "/models",
    header: AUTHORIZATION,
    scheme: "Bearer ",
};
const GROQ: Look = Look {
    name: "groq",
    variable: "GROQ_API_KEY",
    path: "/models",
    header: AUTHORIZATION,
    scheme: "Bearer ",
};
const DEEPGRAM: Look = Look {
    name: "deepgram",
    variable: "DEEPGRAM_API_KEY",
    path: "/projects",
    header: AUTHORIZATION,
    scheme: "Token ",
};
const ELEVENLABS: Look = Look {
    name: "elevenlabs",
    variable: "ELEVENLABS_API_KEY",
    path: "/user",
    header: HeaderName::from_static("xi-api-key"),
    scheme: "",
};

fn port(settings: &Settings, variable: &str, port: u16) -> Finding {
    match http::listen(settings.bind, port) {
        Ok(listener) => {
            let at = listener.local_addr().unwrap_or(SocketAddr::new(settings.bind, port));
            Fine(format!("{variable}: {at} is free"))
        }
        Err(error) => {
            Bad(format!("{variable}: port {port} cannot be opened ({error}); is a relay running already?"))
        }
    }
}

/// Whether the provider answers, whether it takes the key, and whether its clock agrees with ours.
async fn provider(look: &Look, provider: &Provider) -> Vec<Finding> {
    let Look { name, variable, path, header, scheme } = look;
    let url = provider.base_url.http(path);
    let client = Client::builder().tls_backend_preconfigured(Arc::unwrap_or_clone(tls::for_requests(&[])));
    let client = match client.no_proxy().timeout(LIMIT).redirect(reqwest::redirect::Policy::none()).build() {
        Ok(client) => client,
        Err(error) => return vec![Bad(format!("{name}: no HTTP client could be made ({error})"))],
    };
    let request = client.get(&url);
    let request = match &provider.key {
        Some(key) => request.header(header, format!("{scheme}{}", key.expose_secret())),
        None => request,
    };
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let text = format!(
                "{name}: {url} cannot be reached ({}); check the network and the base URL",
                error.without_url()
            );
            return vec![Bad(text)];
        }
    };
    let date = date_of(&response);
    let status = response.status();
    let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    // A key may be for speech only, and not for questions about its account.
    let restricted = refused && response.text().await.is_ok_and(|body| body.contains("missing_permissions"));
    let mut findings = vec![match &provider.key {
        None => {
            Odd(format!("{name}: reachable; {variable} is not set, so every token must bring its own key"))
        }
        Some(_) if refused && !restricted => {
            Bad(format!("{name}: refuses the key in {variable}: make a new one"))
        }
        Some(_) if restricted || status.is_success() => {
            Fine(format!("{name}: reachable, and takes the key in {variable}"))
        }
        Some(_) => Odd(format!("{name}: answers {status} to GET {path}, so the key could not be tried")),
    }];
    findings.extend(date.map(clock));
    findings
}

fn date_of(response: &reqwest::Response) -> Option<SystemTime> {
    httpdate::parse_http_date(response.headers().get(DATE)?.to_str().ok()?).ok()
}

fn clock(theirs: SystemTime) -> Finding {
    let ours = SystemTime::now();
    let apart = ours.duration_since(theirs).or_else(|_| theirs.duration_since(ours)).unwrap_or_default();
    if apart < Duration::from_secs(10) {
        Fine("clock: agrees with the provider's".to_owned())
    } else {
        Bad(format!(
            "clock: {} s apart from the provider's; tokens live seconds, so set it right",
            apart.as_secs()
        ))
    }
}

const LIMIT: Duration = Duration::from_secs(5);
