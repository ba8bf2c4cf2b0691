//! What does a relay do that has no main app? It answers Twilio's webhook itself, with the agent of a file.
//!
//! The token that it writes is one like any other: sealed, for one call, and checked by the gate when the stream
//! comes, perhaps on another machine. So nothing of a call is decided here. Who asks must be Twilio, by its signature.

mod answered;
mod call_me;
mod claims;
mod form;
mod webhook;

use std::{fmt, sync::Arc, time::SystemTime};

use serde_json::{Map, Value};

use self::{answered::Answered, call_me::account};
pub use self::{
    call_me::{CallMe, Wish, page},
    webhook::{Webhook, fields},
};
use crate::{
    agent_file::{AgentFile, Faults},
    gate::{self, Gate, mint::Minter},
    outward::twiml,
    settings::Settings,
};

/// Clones are the same one.
#[derive(Clone)]
pub struct Standalone(Arc<Shared>);

struct Shared {
    agent: Map<String, Value>,
    issuer: String,
    audience: String,
    minter: Minter,
    /// Where Twilio brings the call's sound.
    stream: String,
    /// Only calls of this account, if it is known.
    account: Option<String>,
    answered: Answered,
    call_me: Option<CallMe>,
}

/// Why a webhook gets no document although it is Twilio's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("the call is of another account than TWILIO_ACCOUNT_SID")]
    OtherAccount,
    #[error("this call was answered a while ago, and a call is answered once")]
    Again,
    #[error(transparent)]
    Unfit(#[from] twiml::Unfit),
}

impl Standalone {
    /// Of settings that were read for it. What is wrong with the agent is told as a whole.
    pub fn new(settings: &Settings, file: AgentFile) -> Result<Self, Faults> {
        let secret = settings.relay_secret.as_deref().and_then(|all| gate::secrets(all).into_iter().next());
        let (Some((kid, secret)), Some(public)) = (secret, &settings.public_url) else {
            return Err(Faults(vec!["RELAY_SECRET and PUBLIC_URL are needed to answer calls".to_owned()]));
        };
        let gate = Gate::new(settings.for_gate())
            .map_err(|problems| Faults(problems.iter().map(ToString::to_string).collect()))?;
        let mut file = file;
        let mut faults = claims::faults(&file);
        let account = account(settings);
        if let Some(account) = &account {
            claims::lend(&mut file, account);
        }
        faults.extend(file.config(&gate).err().into_iter().flat_map(|Faults(faults)| faults));
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let minter = Minter::new(&secret);
        let standalone = Self(Arc::new(Shared {
            agent: file.fields().clone(),
            issuer: public.http(""),
            audience: settings.audience.clone(),
            minter: if let Some(kid) = kid { minter.with_kid(kid) } else { minter },
            stream: public.websocket("/stream/twilio"),
            account: settings.calling.account_sid.clone(),
            answered: Answered::default(),
            call_me: account.and_then(|account| CallMe::new(settings, account)),
        }));
        standalone.rehearse(&gate).map_err(|fault| Faults(vec![file.fault("", &fault)]))?;
        Ok(standalone)
    }

    /// The document for this call.
    pub fn answer(&self, webhook: &Webhook, now: SystemTime) -> Result<String, NoAnswer> {
        if self.0.account.as_ref().is_some_and(|account| *account != webhook.account) {
            return Err(NoAnswer::OtherAccount);
        }
        let made = self.0.answered.first(&webhook.call, seconds(now)).ok_or(NoAnswer::Again)?;
        Ok(twiml::stream(&self.0.stream, &self.token(webhook, made))?)
    }

    /// `None` where nobody is called.
    pub fn call_me(&self) -> Option<&CallMe> {
        self.0.call_me.as_ref()
    }

    fn token(&self, webhook: &Webhook, made: u64) -> String {
        let Shared { agent, issuer, audience, minter, .. } = &*self.0;
        minter.seal(&claims::claims(agent, (issuer, audience), webhook, made))
    }

    /// A token of the largest kind goes all the way once, so that what is wrong is found before somebody calls.
    fn rehearse(&self, gate: &Gate) -> Result<(), String> {
        let digits =
            |from: usize| (from..from + webhook::LONGEST).map(|n| char::from(b'0' + (n * n % 10) as u8));
        let longest = |from| Some(digits(from).collect());
        let sid = |letters: &str| letters.to_owned() + &"0".repeat(32);
        let account = self.0.account.clone().unwrap_or_else(|| sid("AC"));
        let (from, to, direction) = (longest(1), longest(2), longest(3));
        let webhook = Webhook { call: sid("CA"), account, from, to, direction };
        let now = SystemTime::now();
        let token = self.token(&webhook, seconds(now));
        twiml::stream(&self.0.stream, &token).map_err(|unfit| format!("does not fit: {unfit}"))?;
        match gate.open(&token, now) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(format!("would not be let in: {refusal}")),
        }
    }
}

/// Must never panic, whatever the bytes are. For fuzzing and tests.
#[doc(hidden)]
pub fn poke(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(webhook) = Webhook::read(&fields(&text)) {
        claims::claims(&Map::new(), ("", ""), &webhook, 0);
    }
    let wish = Wish::read(&text);
    crate::outward::number::tidied(&wish.to);
    page::html("", &wish, true, page::News::Refused(&wish.secret));
}

fn seconds(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Keys stand in the agent.
impl fmt::Debug for Standalone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { stream, call_me, .. } = &*self.0;
        f.debug_struct("Standalone").field("stream", stream).field("call_me", call_me).finish_non_exhaustive()
    }
}
