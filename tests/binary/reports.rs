//! A report survives what the relay does not.

use std::{fs, time::Duration};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sim::app::{Answer, App, Post};

use crate::process::{Binary, LIMIT};

/// The signature of a report is right with these bytes, and with nothing else.
fn is_signed_with(post: &Post, bytes: &[u8]) -> bool {
    let mut text =
        format!("{}.{}.", post.header("webhook-id"), post.header("webhook-timestamp")).into_bytes();
    text.extend(&post.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
    post.header("webhook-signature") == format!("v1,{}", STANDARD.encode(hmac::sign(&key, &text)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_during_delivery_delivers_after_its_restart() {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})).after(Duration::from_secs(60)));
    let directory = std::env::temp_dir().join(format!("patchcord-reports-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let spool = directory.display().to_string();
    let variables = [("REPORT_SPOOL_DIR", spool.as_str()), ("WEBHOOK_ALLOW_PRIVATE", "true")];
    let relay = Binary::start(&variables);
    let secret = format!("whsec_{}", STANDARD.encode([7; 32]));
    let report = json!({ "url": app.url("/report"), "secret": secret });
    let claims = json!({ "agent": {}, "legs": [{ "kind": "echo" }], "report": report });
    let phone = relay.call(&claims).await;
    phone.until(|phone| phone.frames_sent > 10, LIMIT).await.unwrap();
    phone.hang_up();
    let first = app.post("/report", 0, |_| true, LIMIT).await.unwrap();
    relay.signal("KILL");
    relay.end();
    let files: Vec<_> = fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("call.ended") && !text.contains(&secret[6..40]), "{text}");
    app.answer("/report", Answer::json(&json!({})));
    let relay = Binary::start(&variables);
    let second = app.post("/report", 1, |_| true, LIMIT).await.unwrap();
    assert_eq!(second.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(second.body, first.body);
    assert!(is_signed_with(&first, &[7; 32]) && is_signed_with(&second, &[7; 32]), "{:?}", second.headers);
    relay.signal("TERM");
    assert!(relay.end().0.success());
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "delivered and forgotten");
    fs::remove_dir(&directory).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_during_an_upload_says_after_its_restart_that_there_is_none() {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::json(&json!({})));
    app.answer("/kept", Answer::status(200, "").after(Duration::from_secs(60)));
    let directory = std::env::temp_dir().join(format!("patchcord-uploads-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let spool = directory.display().to_string();
    let variables = [
        ("REPORT_SPOOL_DIR", spool.as_str()),
        ("RECORDING_DIR", spool.as_str()),
        ("WEBHOOK_ALLOW_PRIVATE", "true"),
    ];
    let relay = Binary::start(&variables);
    let claims = json!({ "agent": {}, "legs": [{ "kind": "echo" }], "report": { "url": app.url("/report") },
                         "call": { "record": { "put_url": app.url("/kept") } } });
    let phone = relay.call(&claims).await;
    phone.until(|phone| phone.frames_sent > 10, LIMIT).await.unwrap();
    phone.hang_up();
    app.post("/kept", 0, |_| true, LIMIT).await.unwrap();
    assert_eq!(app.posts("/report").len(), 0, "it waits for the upload");
    relay.signal("KILL");
    relay.end();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "the report, and nothing of the recording");
    let relay = Binary::start(&variables);
    let report = app.post("/report", 0, |_| true, LIMIT).await.unwrap().json();
    let recording = &report["data"]["recording"];
    assert_eq!((&recording["outcome"], &recording["failure"]["kind"]), (&json!("failed"), &json!("stopped")));
    relay.signal("TERM");
    assert!(relay.end().0.success());
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    fs::remove_dir(&directory).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_nobody_takes_is_in_the_log_whole() {
    let app = App::start().await.unwrap();
    app.answer("/report", Answer::status(500, "{}"));
    let relay = Binary::start(&[("WEBHOOK_ALLOW_PRIVATE", "true")]);
    let claims = json!({ "agent": { "id": "mine" }, "legs": [{ "kind": "echo" }], "context": { "order": 7 },
                         "report": { "url": app.url("/report") } });
    let phone = relay.call(&claims).await;
    phone.until(|phone| phone.frames_sent > 10, LIMIT).await.unwrap();
    phone.hang_up();
    app.post("/report", 0, |_| true, LIMIT).await.unwrap();
    relay.signal("TERM");
    let (status, printed) = relay.end();
    assert!(status.success());
    let line = printed.lines().find(|line| line.contains("a report was not delivered")).expect(&printed);
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let body: serde_json::Value = serde_json::from_str(line["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["type"], &body["data"]["context"]), (&json!("call.ended"), &json!({ "order": 7 })));
}
