//! `demo`: the whole thing on one machine, without any account.
//!
//! A relay, a pretend phone and pretend providers. First the line test, then a conversation with an
//! interruption in it. With keys of real providers set the conversation is with the real ones. A browser can call the
//! same agents meanwhile and afterwards.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};
use sim::{
    clips,
    phone::{Carrier, Phone},
    voice::speech,
};

use super::{
    agent,
    cast::{self, Kind},
    show::{Story, follow},
    stage::{Keys, Stage},
};
use crate::drain::Signals;

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Leave when the calls are over, with exit code 0 only if audio went both ways.
    #[arg(long)]
    once: bool,
    /// Print what happened as JSON, and nothing else.
    #[arg(long)]
    json: bool,
    /// Who answers: OpenAI Realtime, or a cascade of Deepgram, a model at Groq, and Deepgram's voice.
    #[arg(long, value_enum, default_value_t = Kind::Openai)]
    leg: Kind,
    /// The relay's port. Without it: 8080 if that is free, otherwise any.
    #[arg(long)]
    port: Option<u16>,
}

pub(super) async fn run(demo: Demo) -> anyhow::Result<()> {
    let mut signals = Signals::catch()?;
    let keys = Keys::from_environment();
    let real = match demo.leg {
        Kind::Openai => keys.openai.is_some(),
        Kind::Cascade if keys.deepgram.is_some() != keys.groq.is_some() => {
            bail!(
                "set both DEEPGRAM_API_KEY and GROQ_API_KEY for a real cascade, or neither for a pretend one"
            )
        }
        Kind::Cascade => keys.have_cascade(),
    };
    let stage = open(demo.port, keys).await?;
    let say = |text: &str| {
        if !demo.json {
            println!("{text}");
        }
    };
    let address = stage.relay.address;
    let page = format!("http://{address}/phone");
    say(&format!(
        "The relay runs on {address}: http://{address}/health\nIts secret, for this run only: {}\n\n\
         Talk to it in your browser:  {page}\n",
        stage.secret
    ));
    let calls = async {
        say("1. The line test: the echo leg says back what it hears.\n");
        let echo = line_test(&stage, demo.json).await?;
        say(match (demo.leg, real) {
            (Kind::Openai, true) => "\n2. A call to OpenAI itself.\n",
            (Kind::Openai, false) => "\n2. A conversation with a pretend OpenAI.\n",
            (Kind::Cascade, true) => "\n2. A call to Deepgram and Groq themselves.\n",
            (Kind::Cascade, false) => {
                "\n2. A conversation with a pretend Deepgram and a pretend language model.\n"
            }
        });
        anyhow::Ok((echo, conversation(&stage, demo.leg, real, demo.json).await?))
    };
    let (echo, talk) = tokio::select! {
        stories = calls => stories?,
        () = signals.next() => bail!("stopped before the calls were over"),
    };
    if demo.json {
        println!("{}", json!({ "echo": echo.json(), "conversation": talk.json() }));
    } else {
        println!("\nWhat was said:\n");
        talk.print_transcript();
        println!("\n{}", next(&page, !demo.once));
    }
    if !demo.once {
        signals.next().await;
    }
    stage.relay.drain(signals.next()).await;
    Ok(())
}

/// On the usual port if that is free, so that `/health` is where the documents say.
async fn open(port: Option<u16>, keys: Keys) -> anyhow::Result<Stage> {
    match port {
        Some(port) => set(port, keys).await,
        None => match set(8080, keys.clone()).await {
            Ok(stage) => Ok(stage),
            Err(_) => set(0, keys).await,
        },
    }
}

async fn set(port: u16, keys: Keys) -> anyhow::Result<Stage> {
    let stage = Stage::with_agents(port, keys.clone(), |pretend| cast::agents(&keys, pretend)).await?;
    cast::teach(&stage);
    Ok(stage)
}

async fn line_test(stage: &Stage, quiet: bool) -> anyhow::Result<Story> {
    let (phone, story) = place(stage, &agent::echo(), quiet).await?;
    phone.say(speech(Duration::from_millis(1_500), 7));
    phone.said(LIMIT).await?;
    phone.agent_finished(QUIET, LIMIT).await.context("the caller's own words did not come back")?;
    finish(phone, story).await
}

async fn conversation(stage: &Stage, kind: Kind, real: bool, quiet: bool) -> anyhow::Result<Story> {
    let agent = cast::bakery(kind, (!real).then_some(&stage.pretend));
    let (phone, story) = place(stage, &agent, quiet).await?;
    phone.agent_finished(QUIET, LIMIT).await.context("the agent did not greet the caller")?;
    if !real {
        let [question, thanks] = cast::TALK.map(|(caller, _)| clips::spoken(caller));
        ask(&phone, question).await?;
        // The answer is long, and the caller has heard enough of it.
        phone.until(|phone| phone.playing, LIMIT).await.context("the agent did not answer")?;
        let heard = phone.look(|phone| phone.played);
        phone.until(|phone| phone.played >= heard + Duration::from_millis(1_800), LIMIT).await?;
        ask(&phone, thanks).await?;
        phone.agent_finished(QUIET, LIMIT).await.context("the agent did not answer again")?;
        if phone.look(|phone| phone.clears.is_empty()) {
            bail!("the caller talked over the agent, and the playback was not cleared");
        }
    }
    finish(phone, story).await
}

async fn ask(phone: &Phone, clip: Option<Bytes>) -> anyhow::Result<()> {
    phone.say(clip.context("this sentence of the demo has no clip")?);
    Ok(phone.said(LIMIT).await?)
}

/// Places a call, and follows it in the background.
async fn place(
    stage: &Stage,
    agent: &Value,
    quiet: bool,
) -> anyhow::Result<(Phone, tokio::task::JoinHandle<Story>)> {
    let story = tokio::spawn(follow(stage.news(), quiet));
    let phone = Phone::dial(stage.phone(Carrier::Twilio, agent)).await.context("the call was not taken")?;
    Ok((phone, story))
}

/// Hangs up, and looks whether audio went both ways and nobody broke the protocol.
async fn finish(phone: Phone, story: tokio::task::JoinHandle<Story>) -> anyhow::Result<Story> {
    phone.hang_up();
    phone.ended(LIMIT).await?;
    let story = tokio::time::timeout(LIMIT, story).await.context("the call did not end")??;
    let heard = phone.look(|phone| phone.played);
    let violations = phone.look(|phone| phone.violations.clone());
    let Some(summary) = &story.summary else { bail!("the call told nothing") };
    if summary.tally.frames_in == 0 || heard.is_zero() {
        bail!(
            "no audio went {}: {}",
            if heard.is_zero() { "to the caller" } else { "to the agent" },
            summary.reason
        );
    }
    if !violations.is_empty() {
        bail!("the carrier would complain: {violations:?}");
    }
    if summary.transcript.iter().all(|line| line.said.is_empty())
        && summary.usage.total() != call::Usage::default()
    {
        bail!("nobody's words were written down");
    }
    Ok(story)
}

/// After so much silence the agent has finished.
const QUIET: Duration = Duration::from_millis(400);

/// Nothing in a demo takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// The last thing on the screen, so that nobody has to look for what to do.
fn next(page: &str, stays: bool) -> String {
    let talk = match stays {
        true => format!("  talk to it yourself   {page}   (this relay stays up until Ctrl-C)\n"),
        false => String::new(),
    };
    format!(
        "What to do next\n\n{talk}\
  with a real model     OPENAI_API_KEY=sk-… cargo run --release -- demo
                        DEEPGRAM_API_KEY=… GROQ_API_KEY=… cargo run --release -- demo --leg cascade
  another agent         cargo run --release -- call --agent docs/agents/standalone.toml --out call.wav
  your own number       README.md: “Plug it into your app”, or “Without an app”"
    )
}
