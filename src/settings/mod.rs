//! What the relay is told at start, read once and checked as a whole.
//!
//! Two steps: [`raw`](self::raw) takes the variables as text, [`Settings::read`] turns them into values that
//! everything else may trust. Every problem is reported, not only the first one.

mod address;
mod calling;
mod check;
pub mod open_files;
mod problem;
mod raw;
mod secret;

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rustls::pki_types::CertificateDer;
use tracing_subscriber::filter::Targets;

pub use self::{
    address::{BaseUrl, is_loopback},
    calling::Calling,
    problem::{Problem, Problems},
    secret::Secret,
};
use self::{check::Check, raw::Raw};
use crate::{
    costs::Prices,
    gate::{self, Gate, GateSettings},
};

#[derive(Clone, Debug)]
pub struct Settings {
    /// One secret or several; the gate splits them. Missing only when [`Self::jwks`] is set.
    pub relay_secret: Option<Secret>,
    /// A JWK set as JSON. Secret, for it may hold an HS256 key.
    pub jwks: Option<Secret>,
    pub audience: String,
    pub require_call_binding: bool,
    pub require_sealed: bool,

    pub port: u16,
    pub ops_port: u16,
    pub bind: IpAddr,
    /// Whose calls are taken, by the names of their routes.
    pub carriers: Vec<String>,
    pub public_url: Option<BaseUrl>,
    /// Set only together with `public_url`.
    pub twilio_auth_token: Option<Secret>,
    /// The same.
    pub plivo_auth_token: Option<Secret>,
    pub calling: Calling,
    /// In small letters, without a path.
    pub allowed_origins: Vec<String>,
    /// The browser phone is served, and may call.
    pub phone_page: bool,

    pub openai: Provider,
    pub deepgram: Provider,
    pub groq: Provider,
    pub elevenlabs: Provider,
    /// Twilio's REST API. Its keys come in tokens; for a relay without a main app see [`Calling`].
    pub twilio_base_url: BaseUrl,
    /// Host names in small letters.
    pub upstream_allow: Vec<String>,

    pub max_calls: usize,
    pub max_pending: usize,
    pub max_call: Duration,
    /// How long a session at OpenAI may last before OpenAI ends it.
    pub openai_session: Duration,
    pub drain: Duration,
    pub webhook_allow_private: bool,
    pub report_spool_dir: Option<PathBuf>,
    pub prices: Arc<Prices>,
    /// Where recordings lie until they are uploaded, and how many bytes of them.
    pub recording_dir: PathBuf,
    pub recording_max: u64,

    pub log: Targets,
    pub log_format: LogFormat,
    pub fly: Fly,

    /// What a person should know although the relay can start.
    pub warnings: Vec<String>,

    /// How long a request's head may take. No variable: tests make it short.
    pub head_limit: Duration,
    /// A certificate that is trusted as a root in addition to the public ones. No variable: for tests.
    pub extra_root: Option<CertificateDer<'static>>,
}

/// The relay's own account at a provider, used where a token brings none.
#[derive(Clone, Debug)]
pub struct Provider {
    pub key: Option<Secret>,
    pub base_url: BaseUrl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person at a terminal.
    Text,
    /// One JSON object a line.
    Json,
    /// Text on a terminal, otherwise JSON.
    ByTerminal,
}

/// Where on Fly.io this process runs; all empty elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fly {
    pub region: Option<String>,
    pub machine: Option<String>,
    pub app: Option<String>,
}

impl Settings {
    /// `Settings::read(std::env::vars_os())`, or any other list of names and values.
    pub fn read<K: Into<OsString>, V: Into<OsString>>(
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Problems> {
        Self::read_with(environment, |_, _| {})
    }

    /// The same for a relay that answers Twilio's webhooks itself, which needs more.
    pub fn read_for_standalone<K: Into<OsString>, V: Into<OsString>>(
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Problems> {
        Self::read_with(environment, |settings, problems| {
            let mut needs = |name: &str, there: bool, cure: &str| {
                if !there && !problems.names(name) {
                    problems.add(name, "is missing, and `serve --agent` needs it", cure);
                }
            };
            let cure = "set it to the address that Twilio calls, such as https://relay.example.com";
            needs("PUBLIC_URL", settings.public_url.is_some(), cure);
            let cure = "copy it from Twilio's console: without it anybody could place calls at your expense";
            needs("TWILIO_AUTH_TOKEN", settings.twilio_auth_token.is_some(), cure);
            let cure = "make one with `openssl rand -base64 32`: the relay makes its own tokens with it";
            needs("RELAY_SECRET", settings.relay_secret.is_some(), cure);
            settings.calling.complete(problems);
        })
    }

    fn read_with<K: Into<OsString>, V: Into<OsString>>(
        environment: impl IntoIterator<Item = (K, V)>,
        more: impl FnOnce(&Self, &mut Problems),
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let (raw, warnings) = Raw::read(environment, &mut problems);
        let settings = Self::check(raw, warnings, Check::new(&mut problems));
        more(&settings, &mut problems);
        // The gate knows its keys best. It is built for its verdict only; the relay builds its own.
        if let Err(found) = Gate::new(settings.for_gate()) {
            problems.add_from_gate(found);
        }
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// The part that the token gate works with.
    pub fn for_gate(&self) -> GateSettings {
        let provider = |own: &Provider| gate::Provider {
            key: own.key.as_deref().cloned(),
            base_url: own.base_url.http(""),
        };
        let providers = gate::Providers {
            openai: provider(&self.openai),
            deepgram: provider(&self.deepgram),
            groq: provider(&self.groq),
            elevenlabs: provider(&self.elevenlabs),
        };
        GateSettings {
            secrets: self.relay_secret.as_deref().map(gate::secrets).unwrap_or_default(),
            jwks: self.jwks.as_deref().cloned(),
            audience: self.audience.clone(),
            require_call_binding: self.require_call_binding,
            require_sealed: self.require_sealed,
            upstream_allow: self.upstream_allow.clone(),
            providers,
            max_call: self.max_call,
            openai_session: self.openai_session,
            region: self.fly.region.clone(),
            allow_private: self.webhook_allow_private,
        }
    }

    /// Gives every field some value even when there are problems: they are only counted at the end.
    fn check(mut raw: Raw, mut warnings: Vec<String>, mut check: Check<'_>) -> Self {
        let calling = Calling::check(&mut raw, &mut check);
        if raw.otel_exporter_otlp_endpoint.is_some() {
            warnings.push(
                "OTEL_EXPORTER_OTLP_ENDPOINT is ignored: this version does not export traces".to_owned(),
            );
        }
        let relay_secret =
            check.text_or_file("RELAY_SECRET", raw.relay_secret, "RELAY_SECRET_FILE", raw.relay_secret_file);
        let jwks = check.text_or_file("RELAY_JWKS", raw.relay_jwks, "RELAY_JWKS_FILE", raw.relay_jwks_file);
        let public_url = check.url("PUBLIC_URL", raw.public_url);
        let mut signed = Vec::new();
        for (carrier, name, spelt, token) in [
            ("twilio", "TWILIO_AUTH_TOKEN", "Twilio", &raw.twilio_auth_token),
            ("plivo", "PLIVO_AUTH_TOKEN", "Plivo", &raw.plivo_auth_token),
        ] {
            if token.is_some() {
                check.signature(name, spelt, public_url.is_some());
                signed.push(carrier);
            }
        }
        let ports = (check.port("PORT", raw.port, 8080), check.port("OPS_PORT", raw.ops_port, 9091));
        check.different(ports);
        let mut provider = |name, url, key, default| check.provider(name, url, key, default);
        let openai =
            provider("OPENAI_BASE_URL", raw.openai_base_url, raw.openai_api_key, "https://api.openai.com/v1");
        let deepgram = provider(
            "DEEPGRAM_BASE_URL",
            raw.deepgram_base_url,
            raw.deepgram_api_key,
            "https://api.deepgram.com/v1",
        );
        let groq =
            provider("GROQ_BASE_URL", raw.groq_base_url, raw.groq_api_key, "https://api.groq.com/openai/v1");
        let elevenlabs = provider(
            "ELEVENLABS_BASE_URL",
            raw.elevenlabs_base_url,
            raw.elevenlabs_api_key,
            "https://api.elevenlabs.io/v1",
        );
        let twilio_base_url =
            check.provider("TWILIO_BASE_URL", raw.twilio_base_url, None, "https://api.twilio.com").base_url;
        Self {
            relay_secret,
            jwks,
            audience: raw.relay_audience.unwrap_or_else(|| "patchcord".to_owned()),
            require_call_binding: check.flag("REQUIRE_CALL_BINDING", raw.require_call_binding, true),
            require_sealed: check.flag("REQUIRE_SEALED", raw.require_sealed, false),
            port: ports.0,
            ops_port: ports.1,
            bind: check.address("BIND", raw.bind, Ipv6Addr::UNSPECIFIED.into()),
            carriers: check.carriers("CARRIERS", raw.carriers, &signed),
            public_url,
            twilio_auth_token: raw.twilio_auth_token,
            plivo_auth_token: raw.plivo_auth_token,
            calling,
            allowed_origins: check.origins("ALLOWED_ORIGINS", raw.allowed_origins),
            phone_page: check.flag("PHONE_PAGE", raw.phone_page, false),
            openai,
            deepgram,
            groq,
            elevenlabs,
            twilio_base_url,
            upstream_allow: check.hosts("UPSTREAM_ALLOW", raw.upstream_allow),
            max_calls: check.number("MAX_CALLS", raw.max_calls, 1000, 1..=100_000) as usize,
            max_pending: check.number("MAX_PENDING", raw.max_pending, 64, 1..=100_000) as usize,
            max_call: check.seconds("MAX_CALL_SECONDS", raw.max_call_seconds, 14_400, 1..=86_400),
            openai_session: check.seconds(
                "OPENAI_SESSION_SECONDS",
                raw.openai_session_seconds,
                3_600,
                10..=86_400,
            ),
            drain: check.seconds("DRAIN_SECONDS", raw.drain_seconds, 290, 0..=86_400),
            webhook_allow_private: check.flag("WEBHOOK_ALLOW_PRIVATE", raw.webhook_allow_private, false),
            report_spool_dir: check.directory("REPORT_SPOOL_DIR", raw.report_spool_dir),
            prices: check.prices("PRICES_FILE", raw.prices_file).into(),
            recording_dir: check
                .directory("RECORDING_DIR", raw.recording_dir)
                .unwrap_or_else(std::env::temp_dir),
            recording_max: check.number("RECORDING_MAX_MB", raw.recording_max_mb, 4_096, 1..=10_000_000)
                << 20,
            log: check.log("LOG", raw.log),
            log_format: check.log_format("LOG_FORMAT", raw.log_format),
            fly: Fly { region: raw.fly_region, machine: raw.fly_machine_id, app: raw.fly_app_name },
            warnings,
            head_limit: HEAD_LIMIT,
            extra_root: None,
        }
    }
}

/// DESIGN's "5 s handshake".
const HEAD_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: (&str, &str) = ("RELAY_SECRET", "0123456789abcdef0123456789abcdef");

    fn read(more: &[(&str, &str)]) -> Result<Settings, Problems> {
        Settings::read([SECRET].iter().chain(more).copied())
    }

    #[test]
    fn one_secret_is_all_a_relay_needs() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.port, settings.ops_port, settings.bind.to_string()), (8080, 9091, "::".into()));
        assert_eq!((settings.max_calls, settings.max_pending), (1000, 64));
        assert_eq!((settings.max_call.as_secs(), settings.drain.as_secs()), (14_400, 290));
        assert_eq!(settings.openai.base_url.websocket("/realtime"), "wss://api.openai.com/v1/realtime");
        assert_eq!((settings.require_call_binding, settings.require_sealed), (true, false));
        assert_eq!(settings.twilio_base_url.http(""), "https://api.twilio.com");
        assert_eq!(settings.audience, "patchcord");
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    }

    #[test]
    fn every_problem_is_in_one_message_with_its_variable_and_without_its_value() {
        let bad = [
            ("PORT", "sk-oops"),
            ("OPS_PORT", "70000"),
            ("BIND", "sk-oops"),
            ("MAX_CALLS", "0"),
            ("MAX_PENDING", "-sk-oops"),
            ("MAX_CALL_SECONDS", "sk-oops"),
            ("DRAIN_SECONDS", "sk-oops"),
            ("REQUIRE_SEALED", "yes"),
            ("REQUIRE_CALL_BINDING", "1"),
            ("WEBHOOK_ALLOW_PRIVATE", "sk-oops"),
            ("PUBLIC_URL", "sk-oops"),
            ("ALLOWED_ORIGINS", "https://ok.example.com,sk-oops"),
            ("PHONE_PAGE", "sk-oops"),
            ("UPSTREAM_ALLOW", "https://sk-oops"),
            ("OPENAI_BASE_URL", "http://sk-oops.example.com"),
            ("DEEPGRAM_BASE_URL", "sk-oops"),
            ("GROQ_BASE_URL", "sk-oops"),
            ("ELEVENLABS_BASE_URL", "sk-oops"),
            ("TWILIO_BASE_URL", "http://sk-oops.example.com"),
            ("TWILIO_ACCOUNT_SID", "sk-oops"),
            ("TWILIO_API_KEY", "sk-oops"),
            ("TWILIO_NUMBER", "sk-oops"),
            ("CALL_ME_NUMBERS", "+15550100123,sk-oops"),
            ("CALL_ME_SECRET", "sk-oops"),
            ("REPORT_SPOOL_DIR", "/sk-oops/nowhere"),
            ("PRICES_FILE", "/sk-oops/prices.json"),
            ("RECORDING_DIR", "/sk-oops/nowhere"),
            ("RECORDING_MAX_MB", "sk-oops"),
            ("LOG", "sk-oops"),
            ("LOG_FORMAT", "sk-oops"),
            ("RELAY_JWKS", "sk-oops"),
            ("RELAY_JWKS_FILE", "/sk-oops"),
            ("RELAY_SECRET_FILE", "/sk-oops"),
            ("RELAY_COLOUR", "sk-oops"),
        ];
        let said = read(&bad).unwrap_err();
        let text = said.to_string();
        for (name, _) in bad {
            assert!(said.iter().any(|p| p.variable == name), "{name} is missing in\n{text}");
        }
        assert!(!text.contains("sk-oops"), "{text}");
        assert_eq!(text.lines().count(), bad.len(), "{text}");
    }

    #[test]
    fn without_a_good_key_for_tokens_the_message_says_how_to_make_one() {
        let said = Settings::read([("PORT", "1")]).unwrap_err().to_string();
        assert!(said.contains("RELAY_SECRET") && said.contains("openssl rand -base64 32"), "{said}");
        let short = Settings::read([("RELAY_SECRET", "hunter2")]).unwrap_err().to_string();
        assert!(short.contains("32") && !short.contains("hunter2"), "{short}");
    }

    #[test]
    fn a_signature_check_needs_to_know_the_public_address() {
        let said = read(&[("TWILIO_AUTH_TOKEN", "sk-oops")]).unwrap_err().to_string();
        assert!(said.contains("PUBLIC_URL") && !said.contains("sk-oops"), "{said}");
        let both = [("TWILIO_AUTH_TOKEN", "12345"), ("PUBLIC_URL", "https://relay.example.com")];
        assert!(read(&both).is_ok());
        let said = read(&[("PLIVO_AUTH_TOKEN", "sk-oops")]).unwrap_err().to_string();
        assert!(said.contains("PLIVO_AUTH_TOKEN needs it") && !said.contains("sk-oops"), "{said}");
    }

    const ACCOUNT: (&str, &str) = ("TWILIO_ACCOUNT_SID", "AC00112233445566778899aabbccddeeff");
    const KEY: (&str, &str) = ("TWILIO_API_KEY", "SK00112233445566778899aabbccddeeff");

    fn standalone(more: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let read = Settings::read_for_standalone([SECRET].iter().chain(more).copied());
        read.map_err(|problems| problems.iter().map(|problem| problem.variable.clone()).collect())
    }

    #[test]
    fn a_relay_that_answers_webhooks_itself_says_all_that_it_misses() {
        assert_eq!(standalone(&[]).unwrap_err(), ["PUBLIC_URL", "TWILIO_AUTH_TOKEN"]);
        let nothing = Settings::read_for_standalone([("PORT", "1")]).unwrap_err().to_string();
        assert_eq!(nothing.lines().count(), 3, "{nothing}");
        assert_eq!(standalone(&[("TWILIO_AUTH_TOKEN", "12345")]).unwrap_err(), ["PUBLIC_URL"]);
        let base = [("PUBLIC_URL", "https://relay.example.com"), ("TWILIO_AUTH_TOKEN", "12345")];
        let with = |more: &[(&'static str, &'static str)]| standalone(&[&base, more].concat());
        assert!(!with(&[]).unwrap().calling.is_guarded());
        let numbers = ("CALL_ME_NUMBERS", "+1 (555) 010-0123, +442071838750");
        assert_eq!(with(&[numbers]).unwrap_err(), ["TWILIO_ACCOUNT_SID", "TWILIO_NUMBER"]);
        let number = ("TWILIO_NUMBER", "+15550111");
        assert_eq!(
            with(&[("CALL_ME_SECRET", "0123456789abcdef"), number]).unwrap_err(),
            ["TWILIO_ACCOUNT_SID"]
        );
        assert_eq!(with(&[("TWILIO_NUMBER", "5550111"), ACCOUNT, numbers]).unwrap_err(), ["TWILIO_NUMBER"]);
        let calling = with(&[numbers, ACCOUNT, number]).unwrap().calling;
        assert_eq!(calling.numbers, ["+15550100123", "+442071838750"]);
    }

    #[test]
    fn a_key_and_its_secret_come_together() {
        let missing = |more: &[(&str, &str)]| read(more).unwrap_err().to_string();
        assert!(missing(&[KEY]).starts_with("  TWILIO_API_SECRET: is missing"));
        assert!(missing(&[("TWILIO_API_SECRET", "s")]).starts_with("  TWILIO_API_KEY: is missing"));
        assert_eq!(missing(&[("TWILIO_API_KEY", "AC1"), ("TWILIO_API_SECRET", "s")]).lines().count(), 1);
        assert!(read(&[KEY, ("TWILIO_API_SECRET", "s")]).unwrap().calling.api_key.is_some());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let settings = read(&[
            ("OPENAI_API_KEY", "canary-1"),
            ("TWILIO_AUTH_TOKEN", "canary-2"),
            KEY,
            ("TWILIO_API_SECRET", "canary-3"),
            ("PLIVO_AUTH_TOKEN", "canary-5"),
            ("CALL_ME_SECRET", "canary-4-canary-4"),
            ("PUBLIC_URL", "https://relay.example.com"),
        ])
        .unwrap();
        let text = format!("{settings:?}");
        assert!(text.contains("***"), "{text}");
        assert!(!text.contains("canary") && !text.contains(SECRET.1), "{text}");
    }

    #[test]
    fn lists_are_trimmed_and_in_small_letters() {
        let settings = read(&[
            ("ALLOWED_ORIGINS", " https://App.example.com , http://localhost:3000,"),
            ("UPSTREAM_ALLOW", "My.openai.azure.com"),
        ])
        .unwrap();
        assert_eq!(settings.allowed_origins, ["https://app.example.com", "http://localhost:3000"]);
        assert_eq!(settings.upstream_allow, ["my.openai.azure.com"]);
    }

    #[test]
    fn where_carriers_must_sign_nobody_comes_in_unsigned_unless_named() {
        let signed = [("TWILIO_AUTH_TOKEN", "t"), ("PUBLIC_URL", "https://relay.example.com")];
        assert_eq!(read(&signed).unwrap().carriers, ["twilio"]);
        let two = [signed[0], signed[1], ("PLIVO_AUTH_TOKEN", "p")];
        assert_eq!(read(&two).unwrap().carriers, ["twilio", "plivo"]);
        let both = [signed[0], signed[1], ("CARRIERS", "twilio, Telnyx")];
        assert_eq!(read(&both).unwrap().carriers, ["twilio", "telnyx"]);
        assert_eq!(read(&[]).unwrap().carriers.len(), wire::carrier::CARRIERS.len());
        let problems = read(&[("CARRIERS", "twillio")]).unwrap_err().to_string();
        assert!(problems.contains("CARRIERS") && problems.contains("signalwire"), "{problems}");
    }

    #[test]
    fn traces_that_are_not_exported_are_said() {
        let settings = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4317")]).unwrap();
        assert!(settings.warnings[0].contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{:?}", settings.warnings);
    }

    #[test]
    fn a_level_with_a_typo_is_not_taken_for_a_module() {
        for good in ["info", "off", "DEBUG", "info,patchcord=debug", "patchcord::http=trace"] {
            assert!(read(&[("LOG", good)]).is_ok(), "{good}");
        }
        for bad in ["inof", "verbose", "info,debgu", "patchcord=loud", "=info"] {
            assert!(read(&[("LOG", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_price_table_is_read_at_start_and_its_faults_are_told() {
        let path = std::env::temp_dir().join(format!("patchcord-prices-{}", std::process::id()));
        let table = |date: &str, more: &str| {
            let row = r#""provider": "groq", "model": "m", "per": "million tokens", "text_in": 1"#;
            std::fs::write(&path, format!(r#"{{ "date": "{date}", "prices": [ {{ {row} {more} }} ] }}"#))
                .unwrap();
            read(&[("PRICES_FILE", path.to_str().unwrap())])
        };
        let good = table("2027-01-31", "");
        let both = table("yesterday", r#", "text_out": -2"#);
        let typo = table("2027-01-31", r#", "text_outt": 2"#);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(good.unwrap().prices.date(), "2027-01-31");
        assert_ne!(read(&[]).unwrap().prices.date(), "2027-01-31");
        let both = both.unwrap_err().to_string();
        assert_eq!(both.lines().count(), 2, "{both}");
        assert!(both.contains("PRICES_FILE: `date` is not a day"), "{both}");
        assert!(both.contains("prices[0] (groq, m): `text_out` is negative"), "{both}");
        let typo = typo.unwrap_err().to_string();
        assert!(typo.contains("PRICES_FILE") && typo.contains("unknown field `text_outt`"), "{typo}");
    }

    #[test]
    fn a_secret_may_come_from_a_file_and_then_only_from_there() {
        let path = std::env::temp_dir().join(format!("patchcord-secret-{}", std::process::id()));
        std::fs::write(&path, format!("k1={}\n", SECRET.1)).unwrap();
        let file = ("RELAY_SECRET_FILE", path.to_str().unwrap());
        let alone = Settings::read([file]).unwrap();
        let both = read(&[file]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(alone.for_gate().secrets[0].0.as_deref(), Some("k1"));
        assert!(both.unwrap_err().to_string().contains("RELAY_SECRET_FILE"));
    }
}
