//! Calls by scripts, one after the other, and what is written about them.

use std::fs;

use anyhow::{Context, bail};
use serde_json::Value;

use super::{
    Call, fit,
    place::{greets, place},
    report::{self, Played},
    script::{self, Script, play},
    target, write_files,
};
use crate::cli::agent;

pub(super) async fn run(words: &Call) -> anyhow::Result<()> {
    // All that can be known to be wrong is told before anybody is called.
    let mut scripts = Vec::new();
    for path in &words.script {
        let script = script::read(path)?;
        refuse_deaf(words, &script)?;
        let voices = play::voices(&script).with_context(|| path.display().to_string())?;
        let agent = agent_of(words, &script)?;
        scripts.push((script, voices, agent));
    }
    let mut played = Vec::new();
    for (script, voices, agent) in &scripts {
        if !words.json {
            println!("{}: {}\n", script.path.display(), script.name);
        }
        let one = one(words, script, voices, agent).await;
        if !words.json {
            println!("\n{}", report::text(&one));
        }
        let stopped = one.stopped;
        played.push(one);
        if stopped {
            break;
        }
    }
    if let Some(path) = &words.junit {
        let written = fs::write(path, report::junit(&played));
        written.with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if words.json {
        println!("{}", report::json(&played));
    }
    let failed = played.iter().filter(|one| !one.passed()).count();
    if failed > 0 {
        bail!("{failed} of {} scripts failed", played.len());
    }
    Ok(())
}

async fn one(words: &Call, script: &Script, voices: &[Vec<u8>], agent: &Value) -> Played {
    let mut told = Played::new(script);
    let mut placed = match place(words, agent, Some(script), script.most).await {
        Ok(placed) => placed,
        Err(error) => {
            told.error = Some(format!("{error:#}"));
            return told;
        }
    };
    told.checks = play::play(&mut placed.session, script, voices, greets(words, agent)).await;
    told.error = placed.finish().await.err().map(|error| format!("{error:#}"));
    let session = placed.leave().await;
    told.stopped = session.stopped;
    if session.stopped {
        told.error = Some("stopped before its end".to_owned());
    }
    told.error = told.error.or_else(|| session.complaint());
    (told.phone, told.call, told.took) = (session.json(), session.diary.json(), session.age());
    let stem = script.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = stem.filter(|_| words.script.len() > 1);
    match write_files(words, &session, &script.name, name.as_deref()) {
        Ok(written) => told.written = written,
        Err(error) => told.error = told.error.or(Some(format!("{error:#}"))),
    }
    told
}

/// Words and tools are asked of an address that never tells any: that is known before the call.
fn refuse_deaf(words: &Call, script: &Script) -> anyhow::Result<()> {
    let Some(url) = words.url.as_deref().filter(|url| !target::tells(url, words.carrier)) else {
        return Ok(());
    };
    let mut all = script.steps.iter().flat_map(|step| &step.expects);
    if let Some(deaf) = all.find(|expected| expected.what.needs_news()) {
        bail!(
            "{}:{}: `{}` cannot be known at {url}: {}",
            script.path.display(),
            deaf.line,
            deaf.field,
            script::judge::NOT_TOLD
        );
    }
    Ok(())
}

fn agent_of(words: &Call, script: &Script) -> anyhow::Result<Value> {
    match (words.agent.as_deref(), &script.agent) {
        (Some(path), _) => fit::read(path),
        (None, Some(agent)) => Ok(agent.clone()),
        (None, None) => Ok(agent::echo()),
    }
}
