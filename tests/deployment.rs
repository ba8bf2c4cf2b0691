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
        image.contains("cargo build --profile production --locked --no-default-features"),
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
fn every_refusal_is_explained() {
    let page = read("docs/token.md");
    for code in patchcord::gate::Code::ALL {
        assert!(
            page.contains(&format!("`{}`", code.name())),
            "docs/token.md does not explain {}",
            code.name()
        );
    }
}

/// Anchors are those of headings, as GitHub makes them: in lower case, with dashes for spaces, without signs.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let titles = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    titles.map(|title| title.chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let mut seen = 0;
    for page in pages.chain(["README.md", "ARCHITECTURE.md", "sdk/README.md"].map(|name| root.join(name))) {
        let text = std::fs::read_to_string(&page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        for link in links.filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, it)| (file, Some(it)));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{} links to {link}", page.display());
            if let Some(anchor) = anchor {
                let there = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(there.contains(anchor), "{} links to {link}: {there:?}", page.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} links");
}

#[test]
fn the_readme_s_commands_are_those_that_are_checked() {
    let (readme, checks) = (read("README.md"), read(".ci/run"));
    for command in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(readme.contains(command) && checks.contains(command), "{command}");
    }
}
