//! A call without a script: listen to the greeting, say something, listen to the answer; or talk over it.

use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};
use sim::{ulaw, voice::speech, wav};

use super::{
    Call,
    diary::{Diary, Side},
    fit,
    place::{Placed, greets, place},
    script::{has_finished, judge::Now, play::without_tail},
    session::Session,
    target, write_files,
};
use crate::cli::agent;

pub(super) async fn run(words: &Call) -> anyhow::Result<()> {
    let audio = match &words.audio {
        Some(path) => without_tail(wav::read_ulaw(path)?),
        None => speech(Duration::from_millis(1_800), 21),
    };
    let agent = agent_of(words)?;
    let mut placed = place(words, &agent, None, Duration::from_secs(words.seconds)).await?;
    talk(&mut placed.session, &audio, greets(words, &agent), words.interrupt_after).await;
    placed.finish().await?;
    tell(words, placed).await
}

fn agent_of(words: &Call) -> anyhow::Result<Value> {
    let Some(path) = words.agent.as_deref() else { return Ok(agent::echo()) };
    fit::read(path)
}

async fn tell(words: &Call, placed: Placed) -> anyhow::Result<()> {
    let answered = u64::try_from(placed.answered.as_millis()).unwrap_or(u64::MAX);
    let session = placed.leave().await;
    let written = write_files(words, &session, "A call", None)?;
    if words.json {
        let told = json!({ "answered_ms": answered, "phone": session.json(), "call": session.diary.json() });
        println!("{told}");
    } else {
        if words.url.as_deref().is_some_and(|url| !target::tells(url, words.carrier)) {
            println!("\nThis address carries sound and no words. To read along: {WORDS}");
        } else if !session.diary.is_told {
            println!("\nThis relay does not tell its phone what is said. To read along: {WORDS}");
        }
        written.iter().for_each(|line| println!("\n{line}"));
    }
    if session.stopped {
        bail!("stopped before the end");
    }
    if let Some(complaint) = session.complaint() {
        bail!("{complaint}");
    }
    if session.diary.of(Side::Agent).next().is_none() {
        let end = session.diary.end().unwrap_or("it has not ended");
        bail!(
            "the agent was not heard ({end}): `patchcord check --agent FILE` tries its key, model and voice"
        );
    }
    Ok(())
}

async fn talk(session: &mut Session, audio: &[u8], greets: bool, interrupt_after: Option<u64>) {
    if greets {
        session.until(GREETING, finished(Duration::ZERO)).await;
    }
    let said = say(session, audio).await;
    if let Some(ms) = interrupt_after {
        let wanted = Duration::from_millis(ms);
        let heard = move |diary: &Diary, now: &Now| {
            let answer = diary.of(Side::Agent).rfind(|one| one.from >= said && one.to.is_none())?;
            (now.at.saturating_sub(answer.from) >= wanted).then_some(())
        };
        session.until(LONG, heard).await;
        let said = say(session, audio).await;
        session.until(LONG, finished(said)).await;
    } else {
        session.until(LONG, finished(said)).await;
    }
}

fn finished(since: Duration) -> impl FnMut(&Diary, &Now) -> Option<()> {
    move |diary, now| has_finished(diary, since, now).then_some(())
}

/// Says it, and gives the moment when that began.
async fn say(session: &mut Session, audio: &[u8]) -> Duration {
    let since = session.age();
    session.phone.say(audio.to_vec());
    let said = |diary: &Diary, _: &Now| diary.of(Side::Caller).rfind(|one| one.from >= since)?.to;
    session.until(ulaw::length_of(audio.len() as u64) + Duration::from_secs(5), said).await;
    since
}

const WORDS: &str = "run the relay with PHONE_PAGE=true and call its address …/stream/browser.";

/// An agent that greets does so by then.
const GREETING: Duration = Duration::from_secs(6);

/// `--seconds` bounds the whole call; this only each step of it.
const LONG: Duration = Duration::from_secs(3_600);
