//! How the leg that a token asks for is opened: where to, with whose key, and what a refusal means.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use call::{Failure, FailureKind, Turns, cascade::Cascade, echo::Echo};
use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use wire::{
    Ear, Mouth, Protocol,
    deepgram::{self, Aura, Flux, FluxVoice, Nova},
    elevenlabs::{self, Multi, Scribe},
    openai::{self, Session},
};

use super::{
    Exchange,
    cascade::{CascadeLeg, Dial},
    leg::Leg,
    mind::{Mind, Service},
    order,
    wired::{Dialling, Wired},
};
use crate::{
    gate::{
        Config,
        config::{
            self, Auth, Hearing, HearingProvider, OpenAiLeg, Speaking, SpeakingProvider, Thinking,
            ThinkingProvider,
        },
    },
    outward::dial::DialError,
};

impl Exchange {
    /// A leg that needs a connection is dialled in the background.
    pub(super) fn open_leg(&self, config: &Arc<Config>, leg: usize, turns: Turns, now: Instant) -> Leg {
        match config.legs.get(leg).unwrap_or(&config.legs[0]) {
            config::Leg::Echo(echo) => Leg::Echo(Box::new(Echo::new(echo.pause, turns))),
            config::Leg::OpenAi(leg) => {
                let setup = order::for_openai(config, leg, turns);
                let url = format!("{}{}", leg.base_url, openai::path_and_query(&leg.model));
                let session = move || Session::new(setup.clone());
                Leg::Dialling(self.dial("openai", url, openai_headers(leg), session, openai::refused)())
            }
            config::Leg::Cascade(leg) => {
                let core = Cascade::new(&order::for_cascade(config, leg, turns), now);
                let (ear, mouth) = (self.ear(config, &leg.stt), self.mouth(config, &leg.tts));
                Leg::Cascade(Box::new(CascadeLeg::new(core, ear, self.mind(config, &leg.llm), mouth)))
            }
        }
    }

    fn ear(&self, config: &Config, stt: &Hearing) -> Dial<Ear> {
        if stt.provider == HearingProvider::Elevenlabs {
            let url = format!("{}{}", stt.place.base_url, order::for_scribe(config, stt).path_and_query());
            let headers = elevenlabs_headers(&stt.place.key);
            let session = || Ear::Scribe(Scribe::default());
            return self.dial("elevenlabs", url, headers, session, elevenlabs::refused);
        }
        let (path, session): (_, fn() -> Ear) = if stt.model.starts_with("flux") {
            (order::for_flux(config, stt).path_and_query(), || Ear::Flux(Flux::default()))
        } else {
            (order::for_nova(config, stt).path_and_query(), || Ear::Nova(Nova::default()))
        };
        let url = format!("{}{path}", deepgram::host(&stt.place.base_url));
        self.dial("deepgram", url, deepgram_headers(&stt.place.key), session, deepgram::refused)
    }

    fn mouth(&self, config: &Config, tts: &Speaking) -> Dial<Mouth> {
        if tts.provider == SpeakingProvider::Elevenlabs {
            let setup = order::for_multi(config, tts);
            let url = format!("{}{}", tts.place.base_url, setup.path_and_query());
            let headers = elevenlabs_headers(&tts.place.key);
            let session = move || Mouth::ElevenLabs(Multi::new(&setup));
            return self.dial("elevenlabs", url, headers, session, elevenlabs::refused);
        }
        let (path, session): (_, fn() -> Mouth) = if tts.voice.starts_with("flux-") {
            (order::for_flux_voice(config, tts).path_and_query(), || Mouth::Flux(FluxVoice::default()))
        } else {
            (order::for_aura(config, tts).path_and_query(), || Mouth::Aura(Aura::default()))
        };
        let url = format!("{}{path}", deepgram::host(&tts.place.base_url));
        self.dial("deepgram", url, deepgram_headers(&tts.place.key), session, deepgram::refused)
    }

    fn mind(&self, config: &Config, llm: &Thinking) -> Mind {
        let provider = match llm.provider {
            ThinkingProvider::Groq => "groq",
            ThinkingProvider::OpenAi if llm.place.own => "openai",
            ThinkingProvider::OpenAi => "language model",
        };
        let azure = llm.place.base_url.contains(".azure.com");
        let headers = if azure {
            secret_header(
                HeaderName::from_static("api-key"),
                llm.place.key.expose_secret().to_owned(),
                provider,
            )
        } else {
            let bearer = format!("Bearer {}", llm.place.key.expose_secret());
            secret_header(AUTHORIZATION, bearer, provider)
        };
        let service = Service {
            client: self.clients.next(),
            provider,
            base_url: llm.place.base_url.clone(),
            metrics: self.metrics.clone(),
            headers: headers.unwrap_or_default(), // without a key the provider says what is missing
            lists_models: llm.place.own,
        };
        Mind::new(service, order::for_mind(config, llm))
    }

    /// Opens such a socket each time it is called.
    fn dial<P: Protocol + Send + 'static>(
        &self,
        provider: &'static str,
        url: String,
        headers: Result<HeaderMap, Failure>,
        session: impl Fn() -> P + Send + 'static,
        refused: fn(u16, &[u8]) -> Failure,
    ) -> Dial<P> {
        let dialer = self.dialer.clone();
        Box::new(move || -> Dialling<P> {
            let (dialer, url, headers, session) = (dialer.clone(), url.clone(), headers.clone(), session());
            Box::pin(async move {
                let socket = dialer.dial(&url, headers?, DIAL).await;
                let socket = socket.map_err(|error| failure(provider, error, refused))?;
                Ok(Wired::new(session, socket))
            })
        })
    }
}

/// The key goes where this provider looks for it.
fn openai_headers(leg: &OpenAiLeg) -> Result<HeaderMap, Failure> {
    let key = leg.key.expose_secret();
    match leg.auth {
        Auth::Bearer => secret_header(AUTHORIZATION, format!("Bearer {key}"), "openai"),
        Auth::ApiKey => secret_header(HeaderName::from_static("api-key"), key.to_owned(), "openai"),
    }
}

fn deepgram_headers(key: &SecretString) -> Result<HeaderMap, Failure> {
    secret_header(AUTHORIZATION, format!("Token {}", key.expose_secret()), "deepgram")
}

fn elevenlabs_headers(key: &SecretString) -> Result<HeaderMap, Failure> {
    let key = key.expose_secret().to_owned();
    secret_header(HeaderName::from_static("xi-api-key"), key, "elevenlabs")
}

/// Marked so that no log shows it.
fn secret_header(name: HeaderName, text: String, provider: &'static str) -> Result<HeaderMap, Failure> {
    let mut value = HeaderValue::try_from(text).map_err(|_| Failure {
        provider,
        kind: FailureKind::BadKey,
        detail: "the key holds characters that no key has".into(),
    })?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(name, value)]))
}

fn failure(provider: &'static str, error: DialError, refused: fn(u16, &[u8]) -> Failure) -> Failure {
    let kind = match &error {
        DialError::Refused { status, body } => return refused(status.as_u16(), body),
        DialError::Slow => FailureKind::NotReady,
        DialError::Handshake(_) | DialError::Http(_) => FailureKind::Nonsense,
        DialError::Address(_) | DialError::Connect(_) | DialError::Tls(_) => FailureKind::Unreachable,
    };
    Failure { provider, kind, detail: error.to_string().into() }
}

/// Shorter than the call's own patience with a leg, so that the reason is the dial's and not the clock's.
const DIAL: Duration = Duration::from_secs(4);
