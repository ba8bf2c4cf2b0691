//! `sim`: the pretend providers on one port, for anyone's tests.

mod dials;
mod script;

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use sim::{
    chat::{Chat, ChatOptions},
    deepgram::{Deepgram, DeepgramOptions},
    elevenlabs::ElevenLabs,
    front,
    openai::{OpenAi, OpenAiOptions},
    twilio::{Trouble::Status, Twilio},
};
use tokio::net::TcpListener;

use self::{
    dials::{Dials, Provider},
    script::Script,
};
use crate::drain::Signals;

#[derive(Debug, Args)]
pub(super) struct Sim {
    /// 0 is any that is free.
    #[arg(long, default_value_t = 8090)]
    port: u16,
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// What callers say, what the agent answers and which tools it calls, and dials for each provider: TOML, or JSON in
    /// a file that is called so (docs/sim.md).
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    #[command(flatten)]
    dials: Dials,
    /// These take no connections, as in an outage. Can be given more than once.
    #[arg(long, value_enum, value_name = "PROVIDER")]
    down: Vec<Provider>,
    /// Answers each frame with itself at once, as load runs need it.
    #[arg(long, conflicts_with = "script")]
    echo: bool,
    /// Leave with exit code 1 when somebody spoke to a provider in a way that the real one would not take.
    #[arg(long)]
    strict: bool,
    /// Print one line of JSON when everything is ready, one at the end, and nothing else.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(words: Sim) -> anyhow::Result<()> {
    let mut signals = Signals::catch()?;
    let script = words.script.as_deref().map(script::read).transpose()?.unwrap_or_default();
    let listener = TcpListener::bind((words.bind, words.port)).await.with_context(|| {
        format!(
            "port {} cannot be opened on {}: is another program using it? Choose another with --port, or any that is \
             free with --port 0",
            words.port, words.bind
        )
    })?;
    let at = listener.local_addr()?;
    let providers = Providers::start(&words, &script).await?;
    say_ready(&words, at);
    let mut services =
        paths(&providers.openai, &providers.deepgram, &providers.chat, &providers.elevenlabs).to_vec();
    services.insert(0, ("/2010-04-01/", providers.twilio.address));
    tokio::select! {
        () = front::share(listener, &services) => {}
        () = signals.next() => {}
    }
    let violations = providers.violations();
    providers.say_over(words.json, &violations);
    if words.strict && !violations.is_empty() {
        bail!("{} messages were not what the real providers take", violations.len());
    }
    Ok(())
}

struct Providers {
    openai: OpenAi,
    deepgram: Deepgram,
    chat: Chat,
    elevenlabs: ElevenLabs,
    twilio: Twilio,
}

impl Providers {
    async fn start(words: &Sim, script: &Script) -> anyhow::Result<Self> {
        let dials = |provider| {
            let mut dials = script.dials(provider).over(&words.dials);
            dials.down |= words.down.contains(&provider);
            dials
        };
        let behaviour = dials::openai(&dials(Provider::Openai), script, words.echo);
        let openai = OpenAi::start(OpenAiOptions { behaviour, ..Default::default() }).await?;
        let behaviour = dials::deepgram(&dials(Provider::Deepgram), script);
        let deepgram = Deepgram::start(DeepgramOptions { behaviour }).await?;
        let behaviour = dials::chat(&dials(Provider::Chat), script);
        let chat = Chat::start(ChatOptions { behaviour, ..ChatOptions::default() }).await?;
        let elevenlabs = ElevenLabs::start().await?;
        elevenlabs.behave_all(dials::elevenlabs(&dials(Provider::Elevenlabs), script));
        let twilio = Twilio::start_easy().await?;
        let dials = dials(Provider::Twilio);
        twilio.answers_after(dials.latency());
        twilio.trouble(std::iter::repeat_n(Status(500), dials.failures()));
        Ok(Self { openai, deepgram, chat, elevenlabs, twilio })
    }

    fn violations(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("openai", self.openai.violations()),
            ("deepgram", self.deepgram.violations()),
            ("chat", self.chat.violations()),
            ("elevenlabs", self.elevenlabs.violations()),
            ("twilio", self.twilio.violations()),
        ];
        all.into_iter().flat_map(|(who, said)| said.into_iter().map(move |what| (who, what))).collect()
    }

    fn say_over(&self, as_json: bool, violations: &[(&'static str, String)]) {
        let asked = self.twilio.asked();
        if as_json {
            let violations: Vec<Value> =
                violations.iter().map(|(who, what)| json!({ "provider": who, "text": what })).collect();
            let asked: Vec<Value> = asked
                .iter()
                .map(|asked| json!({ "call": asked.call, "wish": format!("{:?}", asked.wish), "status": asked.status }))
                .collect();
            return say(&json!({ "event": "over", "connections": self.connections(), "violations": violations, "twilio_asked": asked }).to_string());
        }
        for asked in asked {
            say(&format!(
                "Twilio was asked to change {}: {:?}, answered {}",
                asked.call, asked.wish, asked.status
            ));
        }
        for (who, what) in violations {
            say(&format!("violation: {who}: {what}"));
        }
        say(&format!("{} violations", violations.len()));
    }

    /// That anybody came at all: a test that reached nobody has shown nothing.
    fn connections(&self) -> Value {
        json!({
            "openai": self.openai.connections().len(),
            "deepgram": self.deepgram.listeners().len() + self.deepgram.speakers().len(),
            "chat": self.chat.connections(),
            "elevenlabs": self.elevenlabs.voices().len() + self.elevenlabs.listeners().len(),
            "twilio": self.twilio.asked().len(),
        })
    }
}

/// How they share one port: whose path begins how; the first that fits.
pub(super) fn paths(
    openai: &OpenAi,
    deepgram: &Deepgram,
    chat: &Chat,
    elevenlabs: &ElevenLabs,
) -> [(&'static str, SocketAddr); 9] {
    [
        ("/v1/realtime", openai.address),
        ("/v1/user", elevenlabs.address),
        ("/v1/text-to-speech", elevenlabs.address),
        ("/v1/speech-to-text", elevenlabs.address),
        ("/v1/chat", chat.address),
        ("/v1/models", chat.address),
        ("/openai/", chat.address),
        ("/v1/", deepgram.address),
        ("/v2/", deepgram.address),
    ]
}

/// What a relay, or any other client, has to be told.
fn variables(at: SocketAddr) -> [(&'static str, String); 9] {
    [
        ("OPENAI_BASE_URL", format!("http://{at}/v1")),
        ("OPENAI_API_KEY", "sk-pretend".to_owned()),
        ("DEEPGRAM_BASE_URL", format!("http://{at}/v1")),
        ("DEEPGRAM_API_KEY", "pretend".to_owned()),
        ("GROQ_BASE_URL", format!("http://{at}/openai/v1")),
        ("GROQ_API_KEY", "gsk-pretend".to_owned()),
        ("ELEVENLABS_BASE_URL", format!("http://{at}/v1")),
        ("ELEVENLABS_API_KEY", "pretend".to_owned()),
        ("TWILIO_BASE_URL", format!("http://{at}")),
    ]
}

fn say_ready(words: &Sim, at: SocketAddr) {
    let variables = variables(at);
    if words.json {
        let env: serde_json::Map<String, Value> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        return say(&json!({ "event": "ready", "address": format!("http://{at}"), "env": env }).to_string());
    }
    say("Pretend providers. Any key but one with `invalid` in it will do. For the relay:\n");
    for two in variables.chunks(2) {
        let pairs: Vec<String> = two.iter().map(|(name, value)| format!("{name}={value}")).collect();
        say(&format!("  {}", pairs.join(" ")));
    }
    say("\nCtrl-C ends it.");
}

/// Nobody minds when nobody reads.
fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}
