//! 500 calls that end in every way a call can end, and afterwards nothing is left of them.

use std::{fs, time::Duration};

use crate::process::{Binary, LIMIT};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sim::{
    openai::{Behaviour, Faults, OpenAi, OpenAiOptions, What, When},
    phone::Phone,
    voice::speech,
};

const WAVES: u64 = 10;
const AT_ONCE: u64 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_calls_leave_nothing_behind() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let cut = |when| Behaviour {
        faults: Faults { troubles: vec![(when, What::Cut)], ..Faults::default() },
        ..Behaviour::default()
    };
    provider.behave("sk-cut-early", cut(When::Connected));
    provider.behave("sk-cut-late", cut(When::AudioSent(Duration::from_millis(300))));
    provider.behave("sk-broke", Behaviour { faults: Faults::out_of_quota(), ..Behaviour::default() });
    let base_url = provider.base_url();
    let relay = Binary::start(&[
        ("OPENAI_BASE_URL", &base_url),
        ("MAX_PENDING", "200"),
        ("LOG", "warn,patchcord=info"),
    ]);
    let voice = speech(Duration::from_millis(600), 9);
    let before = (open_files(&relay), relay.metric("patchcord_tasks").await);
    let (mut warm, mut frozen) = (0, Vec::new());
    for wave in 0..WAVES {
        let calls = stream::iter(0..AT_ONCE).map(|number| call(&relay, &voice, wave * AT_ONCE + number));
        let left: Vec<Option<Phone>> = calls.buffer_unordered(AT_ONCE as usize).collect().await;
        frozen.extend(left.into_iter().flatten());
        if wave == 1 {
            warm = memory(&relay);
        }
    }
    let started = relay.metric("patchcord_calls_started_total").await;
    assert_eq!(started, (WAVES * AT_ONCE) as f64);
    // The last ones say goodbye, and the frozen ones are found out.
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    let mut after = (0, 0.0);
    for _ in 0..150 {
        ticks.tick().await;
        after = (open_files(&relay), relay.metric("patchcord_tasks").await);
        if relay.metric("patchcord_calls_active").await == 0.0 && after == before {
            break;
        }
    }
    assert_eq!(relay.metric("patchcord_calls_active").await, 0.0);
    assert_eq!(after, before, "open files and tasks");
    assert!(frozen.iter().all(|phone| phone.look(|phone| phone.end.is_none())), "they never let go");
    let grown = memory(&relay).saturating_sub(warm);
    assert!(grown < 8_000, "{grown} kB more than after the second wave");
    relay.signal("TERM");
    let (status, printed) = relay.end();
    assert!(status.success(), "{status}");
    let ends = printed.lines().filter(|line| line.contains("call ended: ")).count();
    assert_eq!(ends as u64, WAVES * AT_ONCE, "each call has ended once");
    assert!(!printed.contains("panicked"), "{printed}");
}

/// One call, which ends as its number says. A frozen phone is returned: its socket must stay open.
async fn call(relay: &Binary, voice: &[u8], number: u64) -> Option<Phone> {
    let phone = relay.call(&claims(number)).await;
    phone.say(voice.to_vec());
    let some = Duration::from_millis(100 + number * 37 % 900);
    phone.until(|phone| phone.end.is_some() || phone.began.elapsed() > some, LIMIT).await.unwrap();
    match number % 8 {
        0 | 1 => phone.hang_up(),
        2 => phone.vanish(),
        3 => phone.close(),
        4 => (0..60).for_each(|_| phone.send_text("rubbish")),
        5 => phone.send_oversize(100_000),
        6 => {
            phone.freeze();
            return Some(phone);
        }
        _ => phone.hang_up(),
    }
    phone.ended(LIMIT).await.unwrap();
    None
}

fn claims(number: u64) -> Value {
    let key = ["sk-good", "sk-cut-early", "sk-cut-late", "sk-broke"][number as usize / 2 % 4];
    let leg = if number.is_multiple_of(2) {
        json!({ "kind": "echo" })
    } else {
        json!({ "kind": "openai", "model": "gpt-realtime-2.1" })
    };
    json!({ "agent": { "prompt": "x", "greeting": "Hello." }, "legs": [leg], "keys": { "openai": key } })
}

fn open_files(relay: &Binary) -> usize {
    fs::read_dir(format!("/proc/{}/fd", relay.pid())).unwrap().count()
}

/// Resident memory in kilobytes.
fn memory(relay: &Binary) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", relay.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
