//! What calls cost, computed by hand.
//!
//! The arithmetic stands beside each call, in dollars: tokens times the price of a million, characters times that of a
//! thousand, time times that of a minute or an hour. Nothing here uses the code that it checks.

use std::{
    future::Future,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use call::{LegEnd, LegUse, Meter, Usage};
use patchcord::{
    costs::{Bill, Prices, bill, by_model, without_price},
    gate::{Config, Gate, fetch::Fetcher, mint::Minter},
    outward::tls,
    settings::Settings,
};
use secrecy::SecretString;
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A token with these claims, through the gate.
fn config(claims: &Value) -> Config {
    let settings =
        Settings::read([("RELAY_SECRET", SECRET), ("UPSTREAM_ALLOW", "my.openai.azure.com")]).unwrap();
    let now = SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut all = json!({
        "iss": "https://app.example.com", "aud": "patchcord", "sub": "CA1", "iat": seconds, "exp": seconds + 60, "v": 1,
        "agent": {}, "keys": { "openai": "k", "groq": "k", "deepgram": "k", "elevenlabs": "k" },
    });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let token = Minter::new(&SecretString::from(SECRET)).sign(&all);
    let gate = Gate::new(settings.for_gate()).unwrap();
    let mut pass = gate.open(&token, now).unwrap();
    let fetcher = Fetcher::new(false, (*tls::for_requests(&[])).clone()).unwrap();
    let mut config = Box::pin(pass.take_config(&fetcher));
    match config.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(config) => config.unwrap(),
        Poll::Pending => panic!("a configuration in the token needs no waiting"),
    }
}

/// The bill of a call whose legs were opened in the token's order and used this.
fn billed(prices: &Prices, claims: &Value, used: &[Usage]) -> Bill {
    let opened = |leg| LegUse { leg, from: Duration::ZERO, end: LegEnd::Used };
    let legs: Vec<_> = (0..used.len()).map(opened).collect();
    let meter: Meter = used.iter().copied().collect();
    bill(prices, by_model(&config(claims), &legs, &meter))
}

fn openai(model: &str) -> Value {
    json!({ "kind": "openai", "model": model })
}

fn cascade(stt: (&str, &str), llm: (&str, &str), tts: (&str, &str)) -> Value {
    let mut leg = json!({
        "kind": "cascade",
        "stt": { "provider": stt.0, "model": stt.1 },
        "llm": { "provider": llm.0, "model": llm.1 },
        "tts": { "provider": tts.0, "voice": tts.1 },
    });
    if tts.0 == "elevenlabs" {
        (leg["tts"]["voice"], leg["tts"]["model"]) = ("JBFqnCBsd6RMkjVDRZzb".into(), tts.1.into());
    }
    leg
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const NONE: Usage = Usage {
    text_in: 0,
    text_cached: 0,
    audio_in: 0,
    audio_cached: 0,
    image_in: 0,
    image_cached: 0,
    text_out: 0,
    audio_out: 0,
    transcription_audio_in: 0,
    transcription_text_in: 0,
    transcription_text_out: 0,
    transcribed: Duration::ZERO,
    characters: 0,
    untold_answers: 0,
};

struct Case {
    name: &'static str,
    claims: Value,
    used: Vec<Usage>,
    /// In billionths of a dollar, and rounded to cents.
    nanos: u64,
    cents: u64,
    unpriced: &'static [&'static str],
}

#[test]
fn twelve_calls_cost_what_they_cost_by_hand() {
    let mut keyterms =
        cascade(("deepgram", "nova-3"), ("groq", "openai/gpt-oss-120b"), ("deepgram", "aura-asteria-en"));
    keyterms["stt"]["keyterms"] = json!(["Mill Street"]);
    let mut scribe = cascade(
        ("elevenlabs", "scribe_v2_realtime"),
        ("openai", "gpt-6.1-terra"),
        ("elevenlabs", "eleven_multilingual_v2"),
    );
    scribe["stt"]["keyterms"] = json!(["Mill Street"]);
    let mut hurried =
        cascade(("deepgram", "nova-2"), ("openai", "gpt-6-luna"), ("deepgram", "aura-2-thalia-en"));
    hurried["llm"]["extra"] = json!({ "service_tier": "priority" });
    let mut old_writer = openai("gpt-realtime-2");
    old_writer["transcription"] = json!({ "model": "whisper-1" });

    let five_minutes = Usage {
        text_in: 40_000,
        audio_in: 60_000,
        text_out: 1_000,
        audio_out: 3_000,
        transcription_audio_in: 1_200,
        transcription_text_out: 300,
        ..NONE
    };
    let calls = [
        Case {
            name: "a short call over the small model, nothing cached",
            claims: json!({ "legs": [openai("gpt-realtime-2.1-mini")] }),
            used: vec![Usage { text_in: 1_000, audio_in: 600, text_out: 100, audio_out: 1_200, ..NONE }],
            // text in   1,000 * 0.60 / 1e6 = 0.000 600
            // audio in    600 * 10.0 / 1e6 = 0.006 000
            // text out    100 * 2.40 / 1e6 = 0.000 240
            // audio out 1,200 * 20.0 / 1e6 = 0.024 000
            //                                0.030 840
            nanos: 30_840_000,
            cents: 3,
            unpriced: &[],
        },
        Case {
            name: "five minutes over the large model, most of it cached, with words told in tokens",
            claims: json!({ "legs": [openai("gpt-realtime-2.1")] }),
            used: vec![Usage { text_cached: 36_000, audio_cached: 57_600, ..five_minutes }],
            // text new      4,000 *  4.00 / 1e6 = 0.016 00
            // text cached  36,000 *  0.40 / 1e6 = 0.014 40
            // audio new     2,400 * 32.00 / 1e6 = 0.076 80
            // audio cached 57,600 *  0.40 / 1e6 = 0.023 04
            // text out      1,000 * 24.00 / 1e6 = 0.024 00
            // audio out     3,000 * 64.00 / 1e6 = 0.192 00
            // 1,200 tokens of sound are 2 minutes; 2 * 0.0045 = 0.009 00, and the 300 of words are included
            //                                     0.355 24
            nanos: 355_240_000,
            cents: 36,
            unpriced: &[],
        },
        Case {
            name: "the same with an empty cache: six times as much, and exactly half a cent at the end",
            claims: json!({ "legs": [openai("gpt-realtime-2.1")] }),
            used: vec![five_minutes],
            // 40,000 * 4.00 / 1e6 = 0.160; 60,000 * 32.00 / 1e6 = 1.920; out 0.024 + 0.192; words 0.009
            // together 2.305
            nanos: 2_305_000_000,
            cents: 231,
            unpriced: &[],
        },
        Case {
            name: "Flux, a small model at Groq, Aura-2",
            claims: json!({ "legs": [cascade(("deepgram", "flux-general-en"), ("groq", "openai/gpt-oss-20b"), ("deepgram", "aura-2-thalia-en"))] }),
            used: vec![Usage {
                transcribed: ms(300_000),
                text_in: 37_500,
                text_cached: 24_000,
                text_out: 3_500,
                characters: 2_250,
                ..NONE
            }],
            // heard          5 min * 0.0065       = 0.032 500 0
            // text new      13,500 * 0.075  / 1e6 = 0.001 012 5
            // text cached   24,000 * 0.0375 / 1e6 = 0.000 900 0
            // text out       3,500 * 0.30   / 1e6 = 0.001 050 0
            // spoken         2,250 * 0.030  / 1e3 = 0.067 500 0
            //                                       0.102 962 5
            nanos: 102_962_500,
            cents: 10,
            unpriced: &[],
        },
        Case {
            name: "Nova in several languages with keyterms, a larger model, Aura-1",
            claims: json!({ "agent": { "language": "multi" }, "legs": [keyterms] }),
            used: vec![Usage {
                transcribed: ms(613_500),
                text_in: 80_000,
                text_cached: 50_000,
                text_out: 4_000,
                characters: 5_120,
                ..NONE
            }],
            // heard       613.5 s * 0.0058 / 60 = 0.059 305 0
            // keyterms    613.5 s * 0.0013 / 60 = 0.013 292 5
            // text new     30,000 * 0.15  / 1e6 = 0.004 500 0
            // text cached  50,000 * 0.075 / 1e6 = 0.003 750 0
            // text out      4,000 * 0.60  / 1e6 = 0.002 400 0
            // spoken        5,120 * 0.015 / 1e3 = 0.076 800 0
            //                                     0.160 047 5
            nanos: 160_047_500,
            cents: 16,
            unpriced: &[],
        },
        Case {
            name: "Nova in one language, a model of OpenAI's, a voice of ElevenLabs",
            claims: json!({ "legs": [cascade(("deepgram", "nova-3"), ("openai", "gpt-6-luna"), ("elevenlabs", "eleven_flash_v2_5"))] }),
            used: vec![Usage {
                transcribed: ms(61_020),
                text_in: 12_000,
                text_cached: 11_000,
                text_out: 700,
                characters: 1_350,
                ..NONE
            }],
            // heard      61.02 s * 0.0048 / 60 = 0.004 881 6
            // text new     1,000 * 0.10 / 1e6  = 0.000 100 0
            // text cached 11,000 * 0.01 / 1e6  = 0.000 110 0
            // text out       700 * 0.50 / 1e6  = 0.000 350 0
            // spoken       1,350 * 0.04 / 1e3  = 0.054 000 0
            //                                    0.059 441 6
            nanos: 59_441_600,
            cents: 6,
            unpriced: &[],
        },
        Case {
            name: "twenty minutes with Scribe, keyterms and an expensive voice",
            claims: json!({ "legs": [scribe] }),
            used: vec![Usage {
                transcribed: ms(1_200_000),
                text_in: 200_000,
                text_cached: 150_000,
                text_out: 6_000,
                characters: 9_000,
                ..NONE
            }],
            // heard        1/3 h * 0.39       = 0.130 0
            // keyterms     1/3 h * 0.078      = 0.026 0
            // text new    50,000 * 1.00 / 1e6 = 0.050 0
            // cached     150,000 * 0.05 / 1e6 = 0.007 5
            // text out     6,000 * 5.00 / 1e6 = 0.030 0
            // spoken       9,000 * 0.08 / 1e3 = 0.720 0
            //                                   0.963 5
            nanos: 963_500_000,
            cents: 96,
            unpriced: &[],
        },
        Case {
            name: "OpenAI dies, and a cascade takes over",
            claims: json!({ "legs": [
                openai("gpt-realtime-2.1-mini"),
                cascade(("deepgram", "flux-general-multi"), ("groq", "openai/gpt-oss-20b"), ("deepgram", "aura-2-luna-en"))] }),
            used: vec![
                Usage {
                    text_in: 5_000,
                    text_cached: 4_000,
                    audio_in: 2_000,
                    audio_cached: 1_500,
                    text_out: 200,
                    audio_out: 900,
                    transcribed: ms(45_000),
                    ..NONE
                },
                Usage { transcribed: ms(90_000), text_in: 6_000, text_out: 400, characters: 800, ..NONE },
            ],
            // text new     1,000 *  0.60 / 1e6 = 0.000 600
            // text cached  4,000 *  0.06 / 1e6 = 0.000 240
            // audio new      500 * 10.00 / 1e6 = 0.005 000
            // audio cached 1,500 *  0.30 / 1e6 = 0.000 450
            // text out       200 *  2.40 / 1e6 = 0.000 480
            // audio out      900 * 20.00 / 1e6 = 0.018 000
            // words        45 s * 0.0045 / 60  = 0.003 375    the first leg: 0.028 145
            // heard        1.5 min * 0.0078    = 0.011 700
            // text in      6,000 * 0.075 / 1e6 = 0.000 450
            // text out       400 * 0.30 / 1e6  = 0.000 120
            // spoken         800 * 0.030 / 1e3 = 0.024 000    the second: 0.036 270
            //                                    0.064 415
            nanos: 64_415_000,
            cents: 6,
            unpriced: &[],
        },
        Case {
            name: "the same model on two legs is one account",
            claims: json!({ "legs": [openai("gpt-realtime-1.5"), openai("gpt-realtime-1.5"), { "kind": "echo" }] }),
            used: vec![
                Usage { text_in: 100, text_out: 333_333, ..NONE },
                Usage { text_in: 23, text_out: 1, ..NONE },
                NONE,
            ],
            // text in      123 *  4.00 / 1e6 = 0.000 492
            // text out 333,334 * 16.00 / 1e6 = 5.333 344
            //                                  5.333 836
            nanos: 5_333_836_000,
            cents: 533,
            unpriced: &[],
        },
        Case {
            name: "a voice without a price, and cached tokens without one",
            claims: json!({ "legs": [cascade(("deepgram", "flux-general-en"), ("groq", "qwen/qwen3.8-27b"), ("deepgram", "flux-kit-en"))] }),
            used: vec![Usage {
                transcribed: ms(120_000),
                text_in: 10_000,
                text_cached: 2_000,
                text_out: 500,
                characters: 700,
                ..NONE
            }],
            // heard     2 min * 0.0065     = 0.013 0
            // text new  8,000 * 0.80 / 1e6 = 0.006 4
            // text out    500 * 4.00 / 1e6 = 0.002 0
            //                                0.021 4
            nanos: 21_400_000,
            cents: 2,
            unpriced: &["groq qwen/qwen3.8-27b: text_tokens_cached", "deepgram flux-kit-en: characters"],
        },
        Case {
            name: "a tier and an ear that are not in the table",
            claims: json!({ "legs": [hurried] }),
            used: vec![Usage {
                transcribed: ms(60_000),
                text_in: 900,
                text_out: 70,
                characters: 100,
                ..NONE
            }],
            // spoken 100 * 0.030 / 1e3 = 0.003
            nanos: 3_000_000,
            cents: 0,
            unpriced: &[
                "deepgram nova-2: seconds",
                "openai gpt-6-luna (priority): text_tokens_uncached",
                "openai gpt-6-luna (priority): text_tokens_out",
            ],
        },
        Case {
            name: "images, and words written down by a model without a price",
            claims: json!({ "legs": [old_writer] }),
            used: vec![Usage {
                text_in: 250_000,
                image_in: 765,
                image_cached: 65,
                transcription_audio_in: 30,
                transcription_text_in: 4,
                transcription_text_out: 9,
                ..NONE
            }],
            // text in 250,000 * 4.00 / 1e6 = 1.000
            nanos: 1_000_000_000,
            cents: 100,
            unpriced: &[
                "openai gpt-realtime-2: image_tokens_uncached",
                "openai gpt-realtime-2: image_tokens_cached",
                "openai whisper-1: text_tokens_uncached",
                "openai whisper-1: audio_tokens_uncached",
                "openai whisper-1: text_tokens_out",
            ],
        },
    ];
    let prices = Prices::default();
    for Case { name, claims, used, nanos, cents, unpriced } in calls {
        let bill = billed(&prices, &claims, &used);
        assert_eq!((bill.total().nanos(), bill.total().cents()), (nanos, cents), "{name}: {bill:#?}");
        assert_eq!(self::unpriced(&bill), unpriced, "{name}");
        assert_eq!(bill.prices_of, "2026-11-20", "{name}");
    }
}

fn unpriced(bill: &Bill) -> Vec<String> {
    let each = bill.entries.iter();
    each.flat_map(|entry| entry.unpriced.iter().map(|what| format!("{}: {}", entry.used.of, what.name())))
        .collect()
}

/// A contract with other prices, and a deployment at Azure with a name of its own.
const CONTRACT: &str = r#"{
  "date": "2027-01-15",
  "sources": ["our contract"],
  "prices": [
    { "provider": "deepgram", "model": "flux-general-en", "per": "minute", "heard": 0.0042 },
    { "provider": "my.openai.azure.com", "model": "front-*", "per": "million tokens",
      "text_in": 4.4, "text_cached": 0.44, "audio_in": 35.2, "audio_cached": 0.44, "text_out": 26.4, "audio_out": 70.4 }
  ]
}"#;

#[test]
fn a_contract_s_prices_take_the_place_of_ours() {
    let mut azure = openai("front-desk");
    azure["base_url"] = "https://my.openai.azure.com/openai/v1".into();
    azure["transcription"] = false.into();
    let claims = json!({ "legs": [azure,
        cascade(("deepgram", "flux-general-en"), ("groq", "openai/gpt-oss-20b"), ("deepgram", "aura-2-thalia-en"))] });
    let first =
        Usage { text_in: 2_000, text_cached: 1_000, audio_in: 1_000, text_out: 50, audio_out: 500, ..NONE };
    let second = Usage { transcribed: ms(60_000), text_in: 1_000, text_out: 100, characters: 200, ..NONE };
    let contract = Prices::default().overlaid(CONTRACT).unwrap();
    let both = billed(&contract, &claims, &[first, second]);
    // text new     1,000 *  4.40 / 1e6 = 0.004 400
    // text cached  1,000 *  0.44 / 1e6 = 0.000 440
    // audio in     1,000 * 35.20 / 1e6 = 0.035 200
    // text out        50 * 26.40 / 1e6 = 0.001 320
    // audio out      500 * 70.40 / 1e6 = 0.035 200    0.076 560
    // heard          1 min * 0.0042    = 0.004 200
    // text in      1,000 * 0.075 / 1e6 = 0.000 075
    // text out       100 * 0.30  / 1e6 = 0.000 030
    // spoken         200 * 0.030 / 1e3 = 0.006 000    0.010 305
    //                                    0.086 865
    assert_eq!((both.total().nanos(), both.total().cents()), (86_865_000, 9), "{both:#?}");
    assert_eq!(unpriced(&both), <[String; 0]>::default());
    assert_eq!(both.prices_of, "2026-11-20", "the oldest price in it");
    let one = billed(&contract, &claims, &[first]);
    assert_eq!((one.total().nanos(), one.prices_of.as_str()), (76_560_000, "2027-01-15"));

    // Without the contract nobody knows what a deployment costs, and Flux costs what it costs everybody.
    let ours = billed(&Prices::default(), &claims, &[first, second]);
    assert_eq!(ours.total().nanos(), 86_865_000 - 76_560_000 + 6_500_000 - 4_200_000);
    assert_eq!(unpriced(&ours).len(), 5, "{:?}", unpriced(&ours));
    assert!(unpriced(&ours)[0].starts_with("my.openai.azure.com front-desk: "));
}

#[test]
fn a_call_that_used_nothing_costs_nothing() {
    let nothing = billed(&Prices::default(), &json!({ "legs": [{ "kind": "echo" }] }), &[NONE]);
    assert_eq!((nothing.total().nanos(), nothing.entries.len()), (0, 0));
    assert_eq!(nothing.prices_of, Prices::default().date());
}

#[test]
fn models_without_a_price_are_known_before_the_call() {
    let mut old_writer = openai("gpt-realtime-2.1");
    old_writer["transcription"] = json!({ "model": "whisper-1" });
    let claims = json!({ "legs": [
        openai("gpt-realtime-2.1-mini"),
        old_writer,
        cascade(("deepgram", "nova-2"), ("groq", "qwen/qwen3.8-27b"), ("deepgram", "flux-kit-en")),
        { "kind": "echo" } ] });
    let config = config(&claims);
    let named = |prices: &Prices, leg| {
        without_price(prices, &config, leg).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let ours = Prices::default();
    let expected: [&[&str]; 4] =
        [&[], &["openai whisper-1"], &["deepgram nova-2", "deepgram flux-kit-en"], &[]];
    for (leg, expected) in expected.into_iter().enumerate() {
        assert_eq!(named(&ours, leg), expected, "{leg}");
    }
    // By time or by tokens: one of them will do.
    for row in [
        r#""per": "minute", "heard": 0.006, "audio_tokens_per_minute": 600"#,
        r#""per": "million tokens", "audio_in": 6, "text_in": 2.5, "text_out": 10"#,
    ] {
        let table = format!(
            r#"{{ "date": "2026-12-01", "prices": [ {{ "provider": "openai", "model": "whisper-1", {row} }} ] }}"#
        );
        let more = Prices::default().overlaid(&table).unwrap();
        assert_eq!(named(&more, 1), <[&str; 0]>::default(), "{row}");
    }
}
