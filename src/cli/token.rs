//! `token`: makes a call token or the whole TwiML around it, and explains one.

use std::{env, io::Read, time::SystemTime};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::stage::claims;
use crate::{
    agent_file::AgentFile,
    gate::{self, Gate, mint::Minter},
    outward::twiml,
    settings::Settings,
};

#[derive(Debug, Args)]
pub(super) struct Token {
    /// A TOML or JSON file with the agent's claims (`agent`, `legs`, `call`, …); - is standard input.
    #[arg(long, required_unless_present_any = ["inspect", "schema"])]
    agent: Option<String>,
    /// The carrier's call id that the token is for.
    #[arg(long)]
    call: Option<String>,
    /// The carrier's account id.
    #[arg(long)]
    account: Option<String>,
    /// Who makes the token.
    #[arg(long, default_value = "https://app.example.com")]
    issuer: String,
    /// How long it can be presented, such as 90s or 5m; up to 15m.
    #[arg(long, default_value = "90s", value_parser = seconds)]
    ttl: u64,
    /// Seal it, so that the carrier cannot read it. Do so when it holds keys.
    #[arg(long)]
    seal: bool,
    /// Which of several secrets in RELAY_SECRET to use.
    #[arg(long)]
    kid: Option<String>,
    /// Print the TwiML that opens a stream to this address instead of the bare token.
    #[arg(long, value_name = "URL")]
    twiml: Option<String>,
    /// Open a token and explain it; - is standard input.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["agent", "schema"])]
    inspect: Option<String>,
    /// Print the JSON Schema of the claims.
    #[arg(long, conflicts_with = "agent")]
    schema: bool,
}

pub(super) fn run(words: &Token) -> anyhow::Result<()> {
    if words.schema {
        print!("{}", gate::schema());
        return Ok(());
    }
    if let Some(token) = &words.inspect {
        return inspect(token);
    }
    let file = AgentFile::read(words.agent.as_deref().unwrap_or("-"))?;
    let agent = Value::Object(file.fields().clone());
    let mut claims = claims(&agent, words.call.as_deref(), words.ttl);
    if let Some(all) = claims.as_object_mut() {
        all.insert("iss".to_owned(), words.issuer.as_str().into());
        all.extend(words.account.as_ref().map(|account| ("acct".to_owned(), account.as_str().into())));
    }
    let minter = minter(words.kid.as_deref())?;
    let token = if words.seal { minter.seal(&claims) } else { minter.sign(&claims) };
    // A relay would say the same, but only when somebody calls.
    let gate = gate(words.call.is_some())?;
    file.config(&gate).context("a relay would refuse this token")?;
    if let Err(refusal) = gate.open(&token, SystemTime::now()) {
        let at = refusal.path.as_deref().map(|path| format!(" at `{path}`")).unwrap_or_default();
        bail!("a relay would refuse this token{at}: {refusal}");
    }
    match &words.twiml {
        Some(url) => print!("{}", twiml::stream(url, &token)?),
        None => println!("{token}"),
    }
    Ok(())
}

/// `90`, `90s` or `5m`, as seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds
        .filter(|seconds| (1..=900).contains(seconds))
        .ok_or_else(|| "from 1s to 15m, such as 90s".to_owned())
}

/// Makes tokens as the main app would: with the secret that it shares with the relay.
pub(super) fn minter(kid: Option<&str>) -> anyhow::Result<Minter> {
    let (kid, secret) = secret(kid)?;
    let minter = Minter::new(&secret);
    Ok(if let Some(kid) = kid { minter.with_kid(kid) } else { minter })
}

fn secret(kid: Option<&str>) -> anyhow::Result<gate::NamedSecret> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let setting = match (variable("RELAY_SECRET"), variable("RELAY_SECRET_FILE")) {
        (Some(secret), _) => secret,
        (None, Some(path)) => {
            let text = std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
            text.trim().to_owned()
        }
        (None, None) => {
            bail!("neither RELAY_SECRET nor RELAY_SECRET_FILE is set: it must be the relay's own")
        }
    };
    let mut secrets = gate::secrets(&SecretString::from(setting)).into_iter();
    match kid {
        Some(kid) => secrets
            .find(|(name, _)| name.as_deref() == Some(kid))
            .with_context(|| format!("RELAY_SECRET has no secret called {kid}")),
        None => secrets.next().context("RELAY_SECRET is empty"),
    }
}

/// A gate as the relay would have it. Keys that only the relay has are taken for granted.
fn gate(bound: bool) -> anyhow::Result<Gate> {
    let mut variables: Vec<_> = env::vars().filter(|(name, _)| KNOWN.contains(&name.as_str())).collect();
    if !variables.iter().any(|(name, _)| name == "OPENAI_API_KEY") {
        variables.push(("OPENAI_API_KEY".to_owned(), "the relay's own".to_owned()));
    }
    let mut settings = Settings::read(variables)?.for_gate();
    // A token for a call that does not exist yet is bound later, or by a relay that does not insist.
    settings.require_call_binding &= bound;
    Gate::new(settings).map_err(|problems| {
        anyhow::anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// Of the relay's settings those that concern tokens.
const KNOWN: [&str; 10] = [
    "RELAY_SECRET",
    "RELAY_SECRET_FILE",
    "RELAY_JWKS",
    "RELAY_AUDIENCE",
    "REQUIRE_CALL_BINDING",
    "REQUIRE_SEALED",
    "UPSTREAM_ALLOW",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "MAX_CALL_SECONDS",
];

fn inspect(token: &str) -> anyhow::Result<()> {
    let token = if token == "-" {
        let mut text = String::new();
        std::io::stdin().take(1 << 20).read_to_string(&mut text)?;
        text
    } else {
        token.to_owned()
    };
    let token = token.trim();
    let parts: Vec<&str> = token.split('.').collect();
    let header: Value = part(parts[0]).context("the first part is no token's header")?;
    println!(
        "{} characters, {}",
        token.len(),
        if parts.len() == 5 { "sealed" } else { "signed: whoever sees it can read it" }
    );
    println!("header {header}");
    if parts.len() == 3 {
        let mut claims: Value = part(parts[1]).context("the claims are not JSON")?;
        mask(&mut claims);
        println!("claims {claims:#}");
    }
    if secret(None).is_err() {
        println!("RELAY_SECRET is not set, so whether a relay would take it is not known");
        return Ok(());
    }
    match gate(false)?.open(token, SystemTime::now()) {
        Ok(pass) => println!("a relay with this secret takes it: {pass:?}"),
        Err(refusal) => bail!("a relay with this secret refuses it: {refusal}"),
    }
    Ok(())
}

fn part(text: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text)?)?)
}

/// Keys are for the relay's eyes only.
fn mask(claims: &mut Value) {
    match claims {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "keys" => *value = json!("***"),
                    "openAIKey" | "secret" | "put_url" => *value = json!("***"),
                    _ => mask(value),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_may_have_a_unit() {
        assert_eq!(["90", "90s", "5m", "15m"].map(seconds), [Ok(90), Ok(90), Ok(300), Ok(900)]);
        assert!(
            ["", "0", "901", "16m", "1h", "-5", "18446744073709551615m"]
                .iter()
                .all(|text| seconds(text).is_err())
        );
    }

    #[test]
    fn keys_are_masked_wherever_they_stand() {
        let mut claims = json!({ "openAIKey": "sk-1", "keys": { "openai": "sk-2" }, "report": { "secret": "sk-3" },
                                 "call": { "record": { "put_url": "https://x/?sk-4" } }, "sub": "CA1" });
        mask(&mut claims);
        let text = claims.to_string();
        assert!(!text.contains("sk-") && text.contains("CA1"), "{text}");
    }
}
