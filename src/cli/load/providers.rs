//! The providers that a relay under load talks to. They are part of this process, so that a frame leaves and arrives
//! by the same clock.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use sim::{
    chat::{self, Chat, ChatOptions},
    deepgram::{self, Deepgram, DeepgramOptions},
    elevenlabs::ElevenLabs,
    front,
    openai::{Behaviour, OpenAi, OpenAiOptions},
    probe::Probe,
};
use tokio::net::TcpListener;

use super::mix::{FIRST_SOUND, FIRST_WORD, FRAMES_KEY, TURN_ENDS};
use crate::cli::{sim::paths, stage::PRETEND_KEY};

pub struct Providers {
    openai: OpenAi,
    deepgram: Deepgram,
    chat: Chat,
    elevenlabs: ElevenLabs,
}

impl Providers {
    /// `at`: all of them behind this one, for a relay that somebody else has started. When only frames are timed there
    /// is nobody else, and the pretend OpenAI stands there itself: whoever hands a frame on takes time for it.
    pub async fn start(probe: Arc<Probe>, at: Option<SocketAddr>, only_frames: bool) -> anyhow::Result<Self> {
        let options = OpenAiOptions { probe: Some(probe), ..Default::default() };
        let mut door = None;
        if let Some(at) = at {
            let listener = TcpListener::bind(at).await;
            door = Some(listener.with_context(|| {
                format!(
                    "port {} cannot be opened for the pretend providers: is another program using it? Choose another \
                     with --provider-port",
                    at.port()
                )
            })?);
        }
        let openai = match door.take_if(|_| only_frames) {
            Some(listener) => OpenAi::serve(listener, options)?,
            None => OpenAi::start(options).await?,
        };
        openai.behave(FRAMES_KEY, Behaviour::echo());
        let mut behaviour = deepgram::Behaviour::default();
        behaviour.listen.silence = TURN_ENDS;
        behaviour.speak.first = FIRST_SOUND;
        let deepgram = Deepgram::start(DeepgramOptions { behaviour }).await?;
        let behaviour = chat::Behaviour { first: FIRST_WORD, ..chat::Behaviour::default() };
        let chat = Chat::start(ChatOptions { behaviour, ..ChatOptions::default() }).await?;
        let elevenlabs = ElevenLabs::start().await?;
        let providers = Self { openai, deepgram, chat, elevenlabs };
        if let Some(listener) = door {
            let services =
                paths(&providers.openai, &providers.deepgram, &providers.chat, &providers.elevenlabs);
            tokio::spawn(async move { front::share(listener, &services).await });
        }
        Ok(providers)
    }

    /// For a relay of our own: where they are, and keys that they take.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let key = || PRETEND_KEY.to_owned();
        vec![
            ("OPENAI_BASE_URL", self.openai.base_url()),
            ("OPENAI_API_KEY", key()),
            ("DEEPGRAM_BASE_URL", self.deepgram.base_url()),
            ("DEEPGRAM_API_KEY", key()),
            ("GROQ_BASE_URL", self.chat.base_url()),
            ("GROQ_API_KEY", key()),
            ("ELEVENLABS_BASE_URL", self.elevenlabs.base_url()),
            ("ELEVENLABS_API_KEY", key()),
        ]
    }

    /// What the relay did wrong towards them.
    pub fn violations(&self) -> Vec<String> {
        [
            self.openai.violations(),
            self.deepgram.violations(),
            self.chat.violations(),
            self.elevenlabs.violations(),
        ]
        .concat()
    }
}
