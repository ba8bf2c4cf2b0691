//! What can be dialled in, and what each provider makes of it.

use std::time::Duration;

use clap::{Args, ValueEnum};
use sim::{
    Headers,
    chat::{self, Answer, Fault, ToolCall},
    deepgram::{self, SpeakWhen, Trouble},
    elevenlabs,
    openai::{Behaviour, Faults, Reply, What, When},
};

use super::script::{Script, Turn};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    Openai,
    Deepgram,
    Chat,
    #[value(skip)]
    Elevenlabs,
    #[value(skip)]
    Twilio,
}

/// What is not given is as it usually is.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct Dials {
    /// The way between relay and provider, in each direction.
    #[arg(long = "latency", value_name = "MS")]
    pub latency_ms: Option<u64>,
    /// From the start of an answer to its first sound, or its first word [default: 300].
    #[arg(long = "first-audio", value_name = "MS")]
    pub first_audio_ms: Option<u64>,
    /// So many answers of each call fail before one succeeds; of the chat model so many with each key.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000))]
    pub fail: Option<u32>,
    /// Every account is out of credit.
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub quota: Option<bool>,
    /// Cuts the connection after so much of the agent's speech.
    #[arg(long = "cut-after", value_name = "MS")]
    pub cut_after_ms: Option<u64>,
    /// Falls silent after so much of the agent's speech.
    #[arg(long = "stall-after", value_name = "MS")]
    pub stall_after_ms: Option<u64>,
    #[arg(skip)]
    pub down: bool,
    /// Only of a provider of its own in the script: of a cascade's parts, the model alone takes the common one, so that
    /// an answer does not wait for it twice.
    #[arg(skip)]
    pub own_first_audio_ms: Option<u64>,
}

impl Dials {
    /// These, and where they say nothing, those.
    pub fn over(self, usual: &Self) -> Self {
        Self {
            latency_ms: self.latency_ms.or(usual.latency_ms),
            own_first_audio_ms: self.first_audio_ms,
            first_audio_ms: self.first_audio_ms.or(usual.first_audio_ms),
            fail: self.fail.or(usual.fail),
            quota: self.quota.or(usual.quota),
            cut_after_ms: self.cut_after_ms.or(usual.cut_after_ms),
            stall_after_ms: self.stall_after_ms.or(usual.stall_after_ms),
            down: self.down || usual.down,
        }
    }

    pub fn latency(&self) -> Duration {
        ms(self.latency_ms.unwrap_or(0))
    }

    pub fn failures(&self) -> usize {
        self.fail.unwrap_or(0) as usize
    }

    fn first_audio(&self) -> Duration {
        ms(self.first_audio_ms.unwrap_or(FIRST_AUDIO_MS))
    }

    fn is_out_of_quota(&self) -> bool {
        self.quota == Some(true)
    }

    /// What a voice does wrong after so much of the agent's speech.
    fn troubles<When, What>(&self, sent: fn(Duration) -> When, cut: What, stall: What) -> Vec<(When, What)> {
        let cut = self.cut_after_ms.map(|after| (sent(ms(after)), cut));
        let stall = self.stall_after_ms.map(|after| (sent(ms(after)), stall));
        cut.into_iter().chain(stall).collect()
    }
}

pub fn openai(dials: &Dials, script: &Script, echo: bool) -> Behaviour {
    let mut behaviour = if echo { Behaviour::echo() } else { Behaviour::default() };
    behaviour.latency = dials.latency();
    behaviour.first_audio_after = dials.first_audio();
    let fails = dials.fail.unwrap_or(0);
    let body = r#"{"error":{"message":"Service unavailable.","type":"server_error","code":null}}"#;
    behaviour.faults = Faults {
        refuse_upgrade: dials.down.then(|| (503, Headers::new(), body.to_owned())),
        failing_responses: fails,
        failure: (fails > 0).then_some(("server_error", "server_error")),
        out_of_quota: dials.is_out_of_quota(),
        troubles: dials.troubles(When::AudioSent, What::Cut, What::Stall),
        ..Faults::default()
    };
    behaviour.caller_says = script.turn.iter().map(Turn::heard).collect();
    for (number, turn) in script.turn.iter().enumerate() {
        let mut reply = turn.say.as_deref().map_or_else(Reply::default, Reply::say);
        if let Some(tool) = &turn.call {
            reply = reply.and_call(tool, &turn.arguments(), &call_id(number));
        }
        behaviour.replies.push(reply);
        behaviour.replies.extend(turn.then.as_deref().map(Reply::say));
    }
    if let Some(words) = &script.afterwards.say {
        behaviour.fallback = Reply::say(words);
    }
    behaviour
}

pub fn deepgram(dials: &Dials, script: &Script) -> deepgram::Behaviour {
    let mut behaviour = deepgram::Behaviour { latency: dials.latency(), ..Default::default() };
    behaviour.speak.troubles = dials.troubles(SpeakWhen::SoundSent, Trouble::Cut, Trouble::Stall);
    if let Some(first) = dials.own_first_audio_ms {
        behaviour.speak.first = ms(first);
    }
    if dials.is_out_of_quota() {
        behaviour.refuse = Some((402, r#"{"err_code":"ASR_PAYMENT_REQUIRED","err_msg":"no credit"}"#.into()));
    }
    if dials.down {
        behaviour.refuse =
            Some((503, r#"{"err_code":"UNAVAILABLE","err_msg":"Service unavailable."}"#.into()));
    }
    // A `|` is where the caller pauses; this ear knows of it.
    behaviour.listen.hears = script.turn.iter().map(|turn| turn.hears.clone()).collect();
    if let Some(words) = &script.afterwards.hears {
        behaviour.listen.fallback.clone_from(words);
    }
    behaviour
}

pub fn chat(dials: &Dials, script: &Script) -> chat::Behaviour {
    let way = dials.latency() * 2;
    let mut behaviour =
        chat::Behaviour { head: way, first: way + dials.first_audio(), ..chat::Behaviour::default() };
    for (number, turn) in script.turn.iter().enumerate() {
        let mut answer = turn.say.as_deref().map_or_else(Answer::default, Answer::say);
        if let Some(tool) = &turn.call {
            answer = answer.tool(ToolCall::new(&call_id(number), tool, &turn.arguments()));
            if let Some(then) = &turn.then {
                behaviour = behaviour.on_result(tool, Answer::say(then));
            }
        }
        behaviour = behaviour.on(&turn.heard(), answer);
    }
    if let Some(words) = &script.afterwards.say {
        behaviour.fallback = Answer::say(words);
    }
    let lasting = match (dials.is_out_of_quota(), dials.down) {
        (true, _) => Some(out_of_credit()),
        (_, true) => Some(Fault::overloaded()),
        (false, false) => None,
    };
    let answers = behaviour.answers.iter_mut().chain(&mut behaviour.results).map(|(_, answer)| answer);
    if let Some(fault) = lasting {
        answers.chain([&mut behaviour.fallback]).for_each(|answer| answer.fault = Some(fault.clone()));
        return behaviour;
    }
    let fails = dials.fail.unwrap_or(0);
    if let Some((_, first)) = behaviour.answers.first_mut().filter(|_| fails > 0) {
        first.fault = Some(Fault::overloaded().times(fails));
    }
    // The first whose words are in what was asked is taken: `Hi` must not answer for `What is this?`.
    behaviour.answers.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
    if !behaviour.answers.is_empty() {
        return behaviour;
    }
    behaviour.faults(std::iter::repeat_n(Fault::overloaded(), dials.failures()))
}

pub fn elevenlabs(dials: &Dials, script: &Script) -> elevenlabs::Behaviour {
    let mut behaviour = elevenlabs::Behaviour { latency: dials.latency(), ..Default::default() };
    behaviour.speak.troubles = dials.troubles(SpeakWhen::SoundSent, Trouble::Cut, Trouble::Stall);
    if let Some(first) = dials.own_first_audio_ms {
        behaviour.speak.first = ms(first);
    }
    behaviour.error = dials.is_out_of_quota().then(|| ("quota_exceeded".to_owned(), "no credits".to_owned()));
    behaviour.listen.hears = script.turn.iter().map(Turn::heard).collect();
    if let Some(words) = &script.afterwards.hears {
        behaviour.listen.fallback.clone_from(words);
    }
    behaviour
}

fn out_of_credit() -> Fault {
    let body = r#"{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    Fault::Status(429, Headers::new(), body.to_owned())
}

fn call_id(turn: usize) -> String {
    format!("call_{}", turn + 1)
}

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

const FIRST_AUDIO_MS: u64 = 300;

#[cfg(test)]
mod tests {
    use sim::openai::Part;

    use super::*;

    #[test]
    fn a_dial_of_one_provider_goes_before_the_common_one() {
        let common = Dials { latency_ms: Some(10), fail: Some(2), ..Dials::default() };
        let own = Dials { latency_ms: Some(50), first_audio_ms: Some(7), ..Dials::default() };
        let both = own.over(&common);
        assert_eq!((both.latency_ms, both.fail, both.own_first_audio_ms), (Some(50), Some(2), Some(7)));
    }

    #[test]
    fn the_common_first_sound_is_waited_for_once_in_a_cascade() {
        let dials = Dials::default().over(&Dials { first_audio_ms: Some(900), ..Dials::default() });
        assert_eq!(chat(&dials, &Script::default()).first, ms(900));
        assert!(deepgram(&dials, &Script::default()).speak.first < ms(100));
        assert!(elevenlabs(&dials, &Script::default()).speak.first < ms(100));
    }

    #[test]
    fn a_tool_is_called_after_the_words_and_its_result_has_an_answer() {
        let turn = "[[turn]]\nhears = \"Order | 42?\"\nsay = \"One moment.\"\ncall = \"lookup\"\narguments = { order = 42 }\n\
                    then = \"It is baked.\"";
        let script = super::super::script::parse_toml(turn).unwrap();
        let openai = openai(&Dials::default(), &script, false);
        assert_eq!((openai.caller_says, openai.replies.len()), (vec!["Order 42?".to_owned()], 2));
        let called = |part: &Part| matches!(part, Part::Call { name, arguments, .. } if name == "lookup" && arguments == r#"{"order":42}"#);
        assert!(matches!(&openai.replies[0].parts[..], [Part::Speech { .. }, call] if called(call)));
        let chat = chat(&Dials::default(), &script);
        assert_eq!(
            (chat.answers[0].0.as_str(), chat.answers[0].1.tools[0].arguments.as_str()),
            ("Order 42?", r#"{"order":42}"#)
        );
        assert_eq!((chat.results[0].0.as_str(), chat.results[0].1.text.as_str()), ("lookup", "It is baked."));
        assert_eq!(deepgram(&Dials::default(), &script).listen.hears, ["Order | 42?"]);
    }

    #[test]
    fn an_empty_account_is_empty_for_scripted_answers_too() {
        let script = super::super::script::parse_toml("[[turn]]\nhears = \"Hi\"\nsay = \"Hello\"").unwrap();
        let dials = Dials { quota: Some(true), ..Dials::default() };
        let behaviour = chat(&dials, &script);
        let faults = behaviour.answers.iter().map(|(_, answer)| &answer.fault);
        assert!(faults.chain([&behaviour.fallback.fault]).all(Option::is_some));
    }
}
