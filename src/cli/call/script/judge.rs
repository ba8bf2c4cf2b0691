//! Is an expectation met? Decided by what is in the diary, and by nothing else.
//!
//! An expectation looks at what happened since the caller last did something. What is to come is waited for; what is
//! not to come is known when the agent has finished, or the call is over. The difference is written for people.

use std::time::Duration;

use super::{
    Expect,
    scope::{answered, calls, has_finished, heard, joined, of, said},
    wording::{clock, expected, got_heard, got_said, got_understood, mismatch, missing, shown},
};
use crate::cli::call::diary::{Diary, Side, ToolCall};

/// The phone at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli::call) struct Now {
    pub at: Duration,
    /// Something of the agent's is played.
    pub playing: bool,
    /// How long it has been silent, if it ever spoke.
    pub quiet_for: Option<Duration>,
    /// The call is over, and nothing more will be told.
    pub over: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::call) enum Verdict {
    /// With what came, in words.
    Met(String),
    Failed(Failed),
    /// Not known yet.
    Open,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::call) struct Failed {
    pub expected: String,
    pub got: String,
}

/// `since`: when the caller last began to do something.
pub(in crate::cli::call) fn judge(expect: &Expect, diary: &Diary, since: Duration, now: &Now) -> Verdict {
    let finished = now.over || has_finished(diary, since, now);
    let met = |got: String| Verdict::Met(got);
    let fail = |got: String| Verdict::Failed(Failed { expected: expected(expect), got });
    match expect {
        Expect::Says(wanted) => match wanted.is_in(&said(diary, since)) {
            true => met(got_said(diary, since)),
            false => Verdict::Open,
        },
        Expect::SaysNot(wanted) => match wanted.found_in(&said(diary, since)) {
            Some(words) => fail(format!("it said “{words}”: {}", got_said(diary, since))),
            None if finished && diary.is_told => met(got_said(diary, since)),
            None => Verdict::Open,
        },
        Expect::Heard(wanted) => match wanted.is_in(&heard(diary, since, finished)) {
            true => met(got_heard(diary, since)),
            false => Verdict::Open,
        },
        Expect::NotHeard(wanted) => match wanted.found_in(&heard(diary, since, finished)) {
            Some(words) => fail(format!("“{words}” was heard: {}", got_heard(diary, since))),
            None if finished && diary.is_told => met(got_heard(diary, since)),
            None => Verdict::Open,
        },
        Expect::Understood(wanted) => match wanted.is_in(&joined(of(diary, Side::Caller, since))) {
            true => met(got_understood(diary, since)),
            false => Verdict::Open,
        },
        Expect::AnswersWithin(limit) => match answered(diary, since) {
            Some(after) if after <= *limit => met(format!("it answered after {} ms", after.as_millis())),
            Some(after) => fail(format!("it answered after {} ms", after.as_millis())),
            None => Verdict::Open,
        },
        Expect::Calls { tool, arguments, outcome } => {
            let fits =
                |call: &&ToolCall| mismatch(call, tool, arguments.as_ref(), outcome.as_deref()).is_empty();
            match calls(diary, since).find(fits) {
                Some(call) => met(format!("it called {}", shown(call))),
                None => Verdict::Open,
            }
        }
        Expect::CallsNothing => match calls(diary, since).next() {
            Some(call) => fail(format!("it called {}", shown(call))),
            None if finished && diary.is_told => met("it called no tool".to_owned()),
            None => Verdict::Open,
        },
        Expect::Clears(wanted) => match (diary.clears.iter().find(|(at, _)| *at >= since), wanted) {
            (Some((at, cut)), true) => {
                met(format!("cleared at {}, {} ms were thrown away", clock(*at), cut.thrown_away.as_millis()))
            }
            (Some((at, _)), false) => fail(format!("it was cleared at {}", clock(*at))),
            (None, false) if finished => met("nothing was cleared".to_owned()),
            (None, _) => Verdict::Open,
        },
        Expect::Ends(reason) => match (diary.end(), &diary.reason, reason) {
            (None, _, _) => Verdict::Open,
            (Some(end), _, None) => met(format!("it ended: {end}")),
            (Some(_), Some(told), Some(wanted)) if told == wanted => met(format!("it ended: {told}")),
            (Some(_), Some(told), Some(_)) => fail(format!("it ended: {told}")),
            (Some(_), None, Some(_)) => Verdict::Open, // the relay may still tell
        },
    }
}

/// The time is over, or nothing more can come: what is there instead?
pub(in crate::cli::call) fn too_late(expect: &Expect, diary: &Diary, since: Duration, now: &Now) -> Verdict {
    let last = judge(expect, diary, since, &Now { over: true, ..*now });
    if last != Verdict::Open {
        return last;
    }
    if expect.needs_news() && !diary.is_told {
        return Verdict::Failed(Failed { expected: expected(expect), got: NOT_TOLD.to_owned() });
    }
    let got = match expect {
        Expect::Says(wanted) => got_said(diary, since) + &missing(wanted, &said(diary, since)),
        Expect::SaysNot(_) => got_said(diary, since),
        Expect::Heard(wanted) => got_heard(diary, since) + &missing(wanted, &heard(diary, since, true)),
        Expect::NotHeard(_) => got_heard(diary, since),
        Expect::Understood(wanted) => {
            got_understood(diary, since) + &missing(wanted, &joined(of(diary, Side::Caller, since)))
        }
        Expect::AnswersWithin(_) => "the agent said nothing".to_owned(),
        Expect::Calls { tool, arguments, outcome } => {
            let nearest = calls(diary, since)
                .map(|call| (call, mismatch(call, tool, arguments.as_ref(), outcome.as_deref())))
                .min_by_key(|(call, wrong)| (call.name != *tool, wrong.len()));
            match nearest {
                None => "it called no tool".to_owned(),
                Some((call, wrong)) => format!("it called {}: {}", shown(call), wrong.join("; ")),
            }
        }
        Expect::CallsNothing => "nothing was told of tools".to_owned(),
        Expect::Clears(_) => {
            match diary.of(Side::Agent).any(|one| one.from < since && one.to.is_none_or(|to| to > since)) {
                true => "the agent spoke on".to_owned(),
                false => "nothing was cleared, and the agent was not speaking either".to_owned(),
            }
        }
        Expect::Ends(_) => match diary.end() {
            Some(end) => format!("the line is over ({end}), and the relay did not say why"),
            None => "the call goes on".to_owned(),
        },
    };
    let got = if now.over { format!("{got} (and then the call was over)") } else { got };
    Verdict::Failed(Failed { expected: expected(expect), got })
}

/// Said to whoever expects words of a relay that tells none.
pub(in crate::cli::call) const NOT_TOLD: &str = "this relay does not tell its phone what is said. It does on the \
    address …/stream/browser when it runs with PHONE_PAGE=true; carriers' addresses carry sound and no words";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{
        super::{Pattern, Wanted},
        *,
    };
    use crate::cli::call::{
        diary::{
            Fact,
            tests::{cleared, cut, diary, ms, words},
        },
        news::Told,
    };

    fn wanted(text: &str) -> Wanted {
        Wanted { patterns: vec![Pattern::new(text).unwrap()], any: false }
    }

    const SPEAKS: Now = Now { at: ms_const(9_000), playing: true, quiet_for: None, over: false };
    const FINISHED: Now =
        Now { at: ms_const(9_000), playing: false, quiet_for: Some(ms_const(800)), over: false };

    const fn ms_const(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn called(name: &str, arguments: Value) -> Fact {
        Fact::Told(Told::ToolCalled { id: 1, name: name.into(), arguments: Some(arguments) })
    }

    /// A greeting, a question at 2 s, an answer that is talked over at 5 s and cut, a second answer.
    fn talk() -> Diary {
        diary([
            (0, Fact::Begins(Side::Agent)),
            (10, words(Side::Agent, 1, "Hello, this is the bakery.")),
            (1_500, Fact::Stops(Side::Agent)),
            (2_000, Fact::Begins(Side::Caller)),
            (3_000, Fact::Stops(Side::Caller)),
            (3_050, words(Side::Caller, 2, "When are you open?")),
            (3_100, called("hours", json!({ "day": "monday", "shop": { "id": 3, "town": "x" } }))),
            (3_150, Fact::Told(Told::ToolEnded { id: 1, outcome: "done".into(), after: ms(50) })),
            (3_400, Fact::Begins(Side::Agent)),
            (3_410, words(Side::Agent, 3, "We open at six on weekdays and on Sundays we are closed.")),
            (5_000, Fact::Begins(Side::Caller)),
            (5_300, cleared(2_000)),
            (5_350, cut(3, "We open at six")),
            (6_000, Fact::Stops(Side::Caller)),
            (6_400, words(Side::Agent, 4, "You are welcome.")),
            (6_500, Fact::Begins(Side::Agent)),
            (7_500, Fact::Stops(Side::Agent)),
        ])
    }

    fn met(expect: Expect, since: u64) -> bool {
        matches!(judge(&expect, &talk(), ms(since), &FINISHED), Verdict::Met(_))
    }

    fn difference(expect: Expect, since: u64) -> String {
        match too_late(&expect, &talk(), ms(since), &FINISHED) {
            Verdict::Failed(Failed { expected, got }) => format!("{expected} / {got}"),
            other => panic!("{expect:?}: {other:?}"),
        }
    }

    #[test]
    fn only_what_came_since_the_caller_did_something_counts() {
        assert!(met(Expect::Says(wanted("bakery")), 0) && !met(Expect::Says(wanted("bakery")), 2_000));
        assert!(met(Expect::Says(wanted("at six * closed")), 2_000));
        assert!(met(Expect::Says(wanted("welcome")), 5_000) && !met(Expect::Says(wanted("six")), 5_000));
        let either =
            Wanted { patterns: vec![Pattern::new("sex").unwrap(), Pattern::new("six").unwrap()], any: true };
        assert!(met(Expect::Says(either.clone()), 2_000));
        assert!(!met(Expect::Says(Wanted { any: false, ..either }), 2_000));
        assert!(met(Expect::Understood(wanted("are you open")), 2_000));
        let told = difference(Expect::Says(wanted("rye bread at six")), 2_000);
        assert!(
            told.starts_with(
                "the agent says “rye bread at six” / the agent said “We open at six on weekdays"
            ),
            "{told}"
        );
        assert!(told.ends_with("what is missing: rye, bread"), "{told}");
        let told = difference(Expect::Understood(wanted("closed")), 5_000);
        assert!(told.ends_with("it understood nothing"), "{told}");
        let told = difference(Expect::Says(wanted("six at")), 2_000);
        assert!(told.ends_with("not in this order"), "{told}");
    }

    #[test]
    fn what_was_cut_counts_as_heard_only_so_far() {
        assert!(met(Expect::Heard(wanted("we open at six")), 5_000), "it was cut since then");
        assert!(!met(Expect::Heard(wanted("Sundays")), 2_000));
        assert!(met(Expect::NotHeard(wanted("Sundays")), 2_000));
        let told = difference(Expect::NotHeard(wanted("at six")), 5_000);
        assert!(told.contains("“at six” was heard: the caller heard “We open at six”"), "{told}");
        let told = difference(Expect::Heard(wanted("Sundays")), 2_000);
        assert!(told.contains(" of “We open at six on weekdays and on Sundays"), "{told}");
    }

    #[test]
    fn a_sentence_that_still_plays_is_not_heard_yet() {
        let diary = diary([
            (0, Fact::Begins(Side::Agent)),
            (10, words(Side::Agent, 1, "Hello, this is the bakery.")),
        ]);
        let expect = Expect::Heard(wanted("bakery"));
        assert_eq!(judge(&expect, &diary, ms(0), &SPEAKS), Verdict::Open);
        assert!(matches!(judge(&expect, &diary, ms(0), &FINISHED), Verdict::Met(_)));
        let not = Expect::SaysNot(wanted("butcher"));
        assert_eq!(judge(&not, &diary, ms(0), &SPEAKS), Verdict::Open);
        assert!(matches!(judge(&not, &diary, ms(0), &FINISHED), Verdict::Met(_)));
        let said = Expect::SaysNot(wanted("bakery"));
        assert!(matches!(judge(&said, &diary, ms(0), &SPEAKS), Verdict::Failed(_)), "known at once");
    }

    #[test]
    fn the_end_of_what_was_talked_over_is_no_answer() {
        let finished = Now { quiet_for: Some(ms(900)), ..FINISHED };
        let mut talk = diary([
            (0, Fact::Begins(Side::Agent)),
            (1_000, Fact::Begins(Side::Caller)),
            (1_200, cleared(500)),
            (2_000, Fact::Stops(Side::Caller)),
        ]);
        assert!(!has_finished(&talk, ms(1_000), &finished));
        talk.take(ms(2_500), Fact::Begins(Side::Agent));
        talk.take(ms(3_000), Fact::Stops(Side::Agent));
        assert!(has_finished(&talk, ms(1_000), &finished));
    }

    #[test]
    fn an_answers_delay_is_measured_by_the_phones_own_ears() {
        assert!(met(Expect::AnswersWithin(ms(400)), 2_000));
        let told = difference(Expect::AnswersWithin(ms(399)), 2_000);
        assert_eq!(told, "the agent answers within 399 ms / it answered after 400 ms");
        assert!(met(Expect::AnswersWithin(ms(500)), 5_000), "after an interruption: of the new answer");
        let told = difference(Expect::AnswersWithin(ms(500)), 8_000);
        assert!(told.ends_with("the agent said nothing"), "{told}");
    }

    #[test]
    fn a_tool_fits_by_its_name_and_a_part_of_its_arguments() {
        let calls = |arguments: Value| Expect::Calls {
            tool: "hours".into(),
            arguments: Some(arguments),
            outcome: Some("done".into()),
        };
        assert!(met(calls(json!({ "day": "monday", "shop": { "id": 3.0 } })), 2_000));
        let told = difference(calls(json!({ "day": "friday", "shop": { "id": 3, "floor": 1 } })), 2_000);
        assert!(told.contains("`day` should be \"friday\", and is \"monday\""), "{told}");
        assert!(told.contains("`shop.floor` should be 1, and is not there"), "{told}");
        let other = |tool: &str, outcome: Option<&str>| Expect::Calls {
            tool: tool.into(),
            arguments: None,
            outcome: outcome.map(str::to_owned),
        };
        assert!(difference(other("price", None), 2_000).contains("it called hours {"));
        assert!(difference(other("hours", Some("failed")), 2_000).contains("should be failed, and is: done"));
        assert!(difference(other("hours", None), 5_000).ends_with("it called no tool"));
        assert!(met(Expect::CallsNothing, 5_000));
        assert!(difference(Expect::CallsNothing, 2_000).contains("it called hours"));
    }

    #[test]
    fn a_clear_is_seen_by_the_phone_itself() {
        assert!(met(Expect::Clears(true), 5_000) && met(Expect::Clears(false), 6_000));
        assert!(difference(Expect::Clears(false), 5_000).contains("it was cleared at 5.30 s"));
        assert!(difference(Expect::Clears(true), 6_000).contains("nothing was cleared"));
        assert!(difference(Expect::Clears(true), 7_000).contains("the agent spoke on"));
    }

    #[test]
    fn an_end_has_the_reason_that_the_relay_tells() {
        let ended = Told::Ended { reason: "idle".into(), text: "idle".into(), cut: vec![] };
        let over = diary([(1, Fact::LineOver("closed".into())), (2, Fact::Told(ended))]);
        let ends = |reason: Option<&str>| Expect::Ends(reason.map(str::to_owned));
        assert!(matches!(judge(&ends(Some("idle")), &over, ms(0), &FINISHED), Verdict::Met(_)));
        assert!(matches!(judge(&ends(None), &over, ms(0), &FINISHED), Verdict::Met(_)));
        let Verdict::Failed(failed) = judge(&ends(Some("agent_hung_up")), &over, ms(0), &FINISHED) else {
            panic!()
        };
        assert_eq!(
            (failed.expected.as_str(), failed.got.as_str()),
            ("the call ends: agent_hung_up", "it ended: idle")
        );
        assert!(difference(ends(None), 0).ends_with("the call goes on"));
    }

    #[test]
    fn a_relay_that_tells_nothing_is_named_as_the_reason_and_the_way_out_with_it() {
        let silent = diary([(0, Fact::Begins(Side::Agent)), (500, Fact::Stops(Side::Agent))]);
        for expect in [Expect::Says(wanted("x")), Expect::SaysNot(wanted("x")), Expect::CallsNothing] {
            let now = Now { over: true, ..FINISHED };
            let verdict = too_late(&expect, &silent, ms(0), &now);
            let Verdict::Failed(failed) = verdict else { panic!("{expect:?}: {verdict:?}") };
            assert!(failed.got.contains("PHONE_PAGE=true"), "{}", failed.got);
        }
        assert!(matches!(
            too_late(&Expect::AnswersWithin(ms(10)), &silent, ms(0), &FINISHED),
            Verdict::Met(_)
        ));
    }
}
