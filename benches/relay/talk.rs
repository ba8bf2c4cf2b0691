//! Interruptions: how soon the carrier is told, and how exact the history is cut.

use std::time::{Duration, Instant};

use patchcord::{gate::mint::Minter, relay::Relay, settings::Settings};
use secrecy::SecretString;
use serde_json::json;
use sim::{
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::{Phone, PhoneOptions},
    voice::speech,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const LIMIT: Duration = Duration::from_secs(20);

pub fn barge_in(calls: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(async {
        let answer = || Reply::audio("A long answer.", vec![0x31; 4_000 * 8]);
        let behaviour = Behaviour { fallback: answer(), ..Behaviour::default() };
        let provider =
            OpenAi::start(OpenAiOptions { behaviour, ..Default::default() }).await.expect("a port");
        let base_url = provider.base_url();
        let variables = [
            ("RELAY_SECRET", SECRET),
            ("PORT", "0"),
            ("OPS_PORT", "0"),
            ("BIND", "127.0.0.1"),
            ("OPENAI_BASE_URL", &base_url),
        ];
        let settings = Settings::read(variables).expect("these settings fit");
        let relay = Relay::start(&settings, Instant::now()).await.expect("free ports");
        let voice = speech(Duration::from_millis(700), 3);
        let mut off = Vec::new();
        for number in 0..calls {
            off.extend(one(&relay, &provider, &voice, number).await);
        }
        off.sort_unstable();
        let page = relay.exchange.metrics.page();
        println!(
            "\nheard-exact cut: {} ms off at the median, {} ms at worst, {} calls",
            off[off.len() / 2],
            off[off.len() - 1],
            off.len()
        );
        println!("barge-in, from the provider's word to the clear on the wire:");
        for line in page.lines().filter(|line| line.starts_with("patchcord_barge_in_seconds_bucket")) {
            println!("  {}", line.trim_start_matches("patchcord_barge_in_seconds_bucket"));
        }
    });
}

/// By how many milliseconds the history was cut beside what the phone had played.
async fn one(relay: &Relay, provider: &OpenAi, voice: &[u8], number: u64) -> Option<u64> {
    let key = format!("sk-{number}");
    let options = PhoneOptions::new(format!("ws://{}/stream/twilio", relay.address));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    let token = Minter::new(&SecretString::from(SECRET)).sign(&json!({
        "iss": "bench", "aud": "patchcord", "sub": options.ids.call_sid, "iat": now, "exp": now + 60, "agent": { "prompt": "x" },
        "legs": [{ "kind": "openai", "model": "gpt-realtime-2.1-mini" }], "keys": { "openai": key },
    }));
    let phone = Phone::dial(options.token(&token).delay(Duration::from_millis(number % 60))).await.ok()?;
    phone.say(voice.to_vec());
    let enough = Duration::from_millis(300 + number * 37 % 1_500);
    phone.until(|phone| phone.playing && phone.played >= enough, LIMIT).await.ok()?;
    phone.say(voice.to_vec());
    let cleared = phone.when(|phone| phone.clears.first().cloned(), LIMIT).await.ok()?;
    let leg = provider.connection(&key, LIMIT).await.ok()?;
    let cut = leg.when(|ledger| ledger.truncations.first().map(|cut| cut.audio_end_ms), LIMIT).await.ok()?;
    phone.hang_up();
    phone.ended(LIMIT).await.ok()?;
    Some(cut.abs_diff(cleared.played_in_all.as_millis() as u64))
}
