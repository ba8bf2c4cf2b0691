//! Who may place a call through this relay, and how that call should go.
//!
//! The token is the call's configuration. A [`Gate`] is built once from the settings; then, for each call:
//!
//! 1. [`travel::at_upgrade`] finds the token in the request, or later [`travel::in_start`] in `start`.
//! 2. [`Gate::open`] proves where it comes from and checks every claim: a [`Pass`], or a [`Refusal`] with a
//!    stable [`Code`]. No I/O, well under a millisecond.
//! 3. [`Pass::bound_to`] compares it with the call that the carrier names in `start`.
//! 4. [`Gate::admit`] marks it as used. Once for each call, when the call is really taken.
//! 5. [`Pass::config`] gives the [`Config`]; one that the token only points to is fetched.
//!
//! Nothing in a refusal, an error or a debug print holds a token, a key or a prompt.

mod check;
mod check_cascade;
mod check_mcp;
mod check_persona;
mod check_tools;
mod check_twilio;
mod claims;
pub mod config;
mod envelope;
mod fault;
pub mod fetch;
mod issuers;
mod jwks;
mod keys;
mod leg_claims;
mod loose;
pub mod mint;
mod pass;
#[doc(hidden)]
pub mod poke;
mod problems;
mod reader;
mod refusal;
mod registered;
pub mod replay;
#[cfg(feature = "tools")]
mod schema;
mod sealed;
mod strict;
mod tools;
pub mod travel;
mod upstream;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use secrecy::SecretString;
use serde_json::Value;

use self::{
    check::Form,
    claims::{Body, Registered},
    fetch::Reference,
    issuers::Issuers,
    keys::Ring,
    pass::Source,
    problems::Problems,
    replay::Seen,
    strict::Strict,
    upstream::Allowed,
};

#[cfg(feature = "tools")]
pub(crate) use self::fault::nearest;
#[cfg(feature = "tools")]
pub use self::schema::schema;
pub use self::{
    config::Config,
    envelope::TOKEN_MAX,
    keys::{NamedSecret, Problem, SECRET_MIN, secrets},
    pass::Pass,
    refusal::{Code, Refusal},
    sealed::INFLATED_MAX,
    upstream::{Provider, Providers},
};

/// What the gate takes from the relay's settings.
#[derive(Clone, Debug)]
pub struct GateSettings {
    /// `RELAY_SECRET`, split by [`secrets`].
    pub secrets: Vec<NamedSecret>,
    /// `RELAY_JWKS`, as JSON.
    pub jwks: Option<SecretString>,
    /// `RELAY_AUDIENCE`.
    pub audience: String,
    /// `REQUIRE_CALL_BINDING`.
    pub require_call_binding: bool,
    /// `REQUIRE_SEALED`.
    pub require_sealed: bool,
    /// `UPSTREAM_ALLOW`.
    pub upstream_allow: Vec<String>,
    /// The relay's own keys and addresses of providers.
    pub providers: Providers,
    /// `MAX_CALL_SECONDS`.
    pub max_call: Duration,
    pub openai_session: Duration,
    /// The region this machine is in.
    pub region: Option<String>,
    /// `WEBHOOK_ALLOW_PRIVATE`.
    pub allow_private: bool,
}

/// The settings as the checks need them.
struct Rules {
    audience: String,
    require_call_binding: bool,
    require_sealed: bool,
    allowed: Allowed,
    providers: Providers,
    max_call: Duration,
    openai_session: Duration,
    region: Option<String>,
    allow_private: bool,
    /// There is a secret to sign requests to the main app with.
    signs: bool,
}

pub struct Gate {
    ring: Ring,
    rules: Arc<Rules>,
    seen: Seen,
    issuers: Issuers,
}

impl Gate {
    /// All that is wrong with the settings, at once. Keys that are only left out are logged as warnings.
    pub fn new(settings: GateSettings) -> Result<Self, Vec<Problem>> {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let ring = Ring::build(&settings.secrets, settings.jwks.as_ref(), &mut problems, &mut warnings);
        let allowed = Allowed::build(&settings.upstream_allow, &mut problems);
        if settings.audience.trim().is_empty() {
            problems.push(Problem::new("RELAY_AUDIENCE", "is empty: leave it out for `patchcord`"));
        }
        for warning in &warnings {
            tracing::warn!(setting = warning.setting, "{}", warning.message);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let rules = Rules {
            audience: settings.audience,
            require_call_binding: settings.require_call_binding,
            require_sealed: settings.require_sealed,
            allowed,
            providers: settings.providers,
            max_call: settings.max_call,
            openai_session: settings.openai_session,
            region: settings.region,
            allow_private: settings.allow_private,
            signs: !settings.secrets.is_empty(),
        };
        Ok(Self { ring, rules: Arc::new(rules), seen: Seen::default(), issuers: Issuers::default() })
    }

    /// Proves a token and checks its claims. It is not marked as used: see [`Gate::admit`].
    pub fn open(&self, token: &str, now: SystemTime) -> Result<Pass, Refusal> {
        let opened = envelope::open(token, &self.ring)?;
        let text = |name: &str| opened.claims.find(name).and_then(Value::as_str).map(str::to_owned);
        let (iss, jti, kid) = (text("iss"), text("jti"), opened.kid);
        let pass = self.read(opened.claims, opened.sealed, token, now);
        let pass = pass.map_err(|refusal| refusal.of(iss.as_deref(), jti.as_deref(), kid.as_deref()))?;
        Ok(Pass { kid, ..pass })
    }

    /// What a token with these claims would ask for. For those who want to know before there is a call.
    pub fn config_of(&self, claims: &Value) -> Result<Config, Refusal> {
        let only = |(name, _): &(&String, &Value)| Body::FIELDS.contains(&name.as_str());
        let body: serde_json::Map<_, _> = claims
            .as_object()
            .into_iter()
            .flatten()
            .filter(only)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        referenced(Value::Object(body).to_string().as_bytes(), &self.rules, None)
    }

    /// Marks the token as used; refuses it when it was. Once for each call.
    pub fn admit(&self, pass: &Pass, now: SystemTime) -> Result<(), Refusal> {
        self.seen.admit(pass, now)
    }

    fn read(&self, mut json: Strict, sealed: bool, token: &str, now: SystemTime) -> Result<Pass, Refusal> {
        let mut problems = Problems::default();
        let body = json.split_off(&Body::FIELDS);
        let claims: Option<Registered> = reader::read(json.value(), &Body::FIELDS, &mut problems);
        let Some(mut claims) = claims else { return Err(problems.into_refusal()) };
        registered::check(&claims, &self.rules, now)?;
        let body = reader::read(body.value(), &[], &mut problems);
        let Some(body) = body else { return Err(problems.into_refusal()) };
        let (body, form) = check::unfold(&mut claims, body, &mut problems);
        let secret = body.report.as_ref().is_some_and(|report| report.secret.is_some())
            || body.tools.iter().flatten().any(tools::Tool::holds_secret);
        let literal_keys = secret || body.keys.as_ref().is_some_and(claims::Keys::any);
        let source = match claims.config.take() {
            Some(asked) => {
                let reference = Reference::check(&asked, self.rules.allow_private, &mut problems);
                reference.map(|reference| Source::There { reference, token: token.into() })
            }
            None => check::config(body, form, &self.rules, claims.acct.as_deref(), &mut problems)
                .map(|config| Source::Here(config.into())),
        };
        let source = match source {
            Some(source) if problems.is_empty() => source,
            Some(_) | None => return Err(problems.into_refusal()),
        };
        if literal_keys && !sealed {
            if self.rules.require_sealed {
                let text = "the token carries keys or a secret that the carrier can read: seal it (REQUIRE_SEALED is set)";
                return Err(Refusal::new(Code::TokenNotSealed, text));
            }
            self.issuers.warn_once(&claims.iss);
        }
        Ok(Pass {
            iss: claims.iss,
            jti: claims.jti,
            kid: None,
            sub: claims.sub,
            acct: claims.acct,
            sealed,
            region: claims.region,
            until: UNIX_EPOCH + Duration::from_secs(claims.exp.0) + registered::LEEWAY,
            source: Some(source),
            rules: self.rules.clone(),
        })
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("audience", &self.rules.audience).finish_non_exhaustive()
    }
}

/// The configuration out of the JSON that a token points to; the token may name the carrier's account.
fn referenced(json: &[u8], rules: &Rules, acct: Option<&str>) -> Result<Config, Refusal> {
    let body = strict::object(json, "the configuration", Code::ClaimsMalformed)?;
    let mut problems = Problems::default();
    let body = reader::read(body.value(), &[], &mut problems);
    let config = body.and_then(|body| check::config(body, Form::Reference, rules, acct, &mut problems));
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        Some(_) | None => Err(problems.into_refusal()),
    }
}
