//! What is deployed fits what was built: limits, ports, signals, names.

use std::{collections::BTreeSet, fs, path::Path};

use patchcord::settings::Settings;
use toml::{Table, Value};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn fly() -> Table {
    read("fly.toml").parse().unwrap()
}

fn at<'a>(table: &'a Table, path: &str) -> &'a Value {
    let mut names = path.split('.');
    let first = &table[names.next().unwrap()];
    names.fold(first, |value, name| value.get(name).unwrap_or_else(|| panic!("{path} is missing")))
}

fn number(value: &Value) -> i64 {
    value.as_integer().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

/// `300s` or `7m`.
fn seconds(value: &Value) -> i64 {
    let text = value.as_str().unwrap();
    let (number, unit) = text.split_at(text.len() - 1);
    number.parse::<i64>().unwrap() * if unit == "m" { 60 } else { 1 }
}

fn defaults() -> Settings {
    Settings::read([("RELAY_SECRET", "0123456789abcdef0123456789abcdef")]).unwrap()
}

#[test]
fn the_platform_waits_longer_than_the_relay_drains() {
    let fly = fly();
    let (kill, drain) = (seconds(at(&fly, "kill_timeout")), number(at(&fly, "env.DRAIN_SECONDS")));
    assert!(kill >= drain + 8, "after the grace calls have eight seconds to end: {kill} s and {drain} s");
    assert!(kill <= 300, "the platform's maximum");
    assert!(seconds(at(&fly, "deploy.wait_timeout")) >= kill + 60);
    assert_eq!(drain as u64, defaults().drain.as_secs());
    assert_eq!(at(&fly, "kill_signal").as_str(), Some("SIGTERM"));
}

#[test]
fn the_relay_refuses_before_the_platform_queues() {
    let fly = fly();
    let ours = number(at(&fly, "env.MAX_CALLS")) + number(at(&fly, "env.MAX_PENDING"));
    let soft = number(at(&fly, "http_service.concurrency.soft_limit"));
    let hard = number(at(&fly, "http_service.concurrency.hard_limit"));
    assert!(ours < soft && soft < hard, "{ours} < {soft} < {hard}");
    assert_eq!(at(&fly, "http_service.concurrency.type").as_str(), Some("connections"));
    assert_eq!(at(&fly, "http_service.auto_stop_machines").as_str(), Some("off"));
}

#[test]
fn ports_and_checks_are_those_of_the_code() {
    let (fly, settings) = (fly(), defaults());
    assert_eq!(number(at(&fly, "env.PORT")), i64::from(settings.port));
    assert_eq!(number(at(&fly, "http_service.internal_port")), i64::from(settings.port));
    assert_eq!(number(at(&fly, "env.OPS_PORT")), i64::from(settings.ops_port));
    assert_eq!(number(&at(&fly, "metrics").as_array().unwrap()[0]["port"]), i64::from(settings.ops_port));
    assert_eq!(at(&fly, "http_service.checks").as_array().unwrap()[0]["path"].as_str(), Some("/ready"));
    assert_eq!(at(&fly, "checks.live.path").as_str(), Some("/health"));
    let variables: Vec<_> = at(&fly, "env").as_table().unwrap().iter().collect();
    let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    let secret = ("RELAY_SECRET", "0123456789abcdef0123456789abcdef");
    Settings::read(variables.chain([secret])).unwrap();
}

#[test]
fn the_image_is_small_not_root_and_takes_signals_itself() {
    let image = read("Dockerfile");
    let runtime = image.split("AS runtime").nth(1).unwrap();
    assert!(
        image.contains("cargo build --release --locked --no-default-features"),
        "tools do not belong in it"
    );
    assert!(image.contains("FROM gcr.io/distroless/") && runtime.contains("USER 65532:65532"));
    assert!(runtime.contains("ENTRYPOINT [\"/patchcord\"]") && runtime.contains("STOPSIGNAL SIGTERM"));
    assert!(!runtime.contains("RUN "), "there is no shell to run anything");
    let settings = defaults();
    assert!(runtime.contains(&format!("EXPOSE {} {}", settings.port, settings.ops_port)));
}

#[test]
fn every_setting_is_in_the_example_and_explained_and_nothing_else_is() {
    let raw = read("src/settings/raw.rs");
    let list = raw.split("variables! {").nth(1).unwrap().split('}').next().unwrap();
    let names =
        list.lines().filter_map(|line| line.trim().split_once(':')).map(|(name, _)| name.to_uppercase());
    let known: BTreeSet<String> = names.filter(|name| !name.starts_with("FLY_")).collect();
    assert!(known.len() > 25, "{known:?}");
    let example = read(".env.example");
    let lines = example.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let given: BTreeSet<String> = lines.map(|(name, _)| name.to_owned()).collect();
    assert_eq!(given, known);
    let pages = [read("README.md"), read("docs/standalone.md")];
    for name in &known {
        assert!(pages.iter().any(|page| page.contains(&format!("`{name}`"))), "no page explains {name}");
    }
}

#[test]
fn every_refusal_is_explained_in_the_readme() {
    let readme = read("README.md");
    for code in patchcord::gate::Code::ALL {
        assert!(readme.contains(&format!("`{}`", code.name())), "README.md does not explain {}", code.name());
    }
}

#[test]
fn the_readme_s_commands_are_those_that_are_checked() {
    let (readme, checks) = (read("README.md"), read(".ci/run"));
    for command in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(readme.contains(command) && checks.contains(command), "{command}");
    }
}
