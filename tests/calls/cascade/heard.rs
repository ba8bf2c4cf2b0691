//! What the model is told that it said, against what the phone played: 200 interruptions at any moment.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use sim::{chat, deepgram, elevenlabs, phone::Phone, voice::speech};

use super::{pairs::pairs, studio::Studio};
use crate::house::LIMIT;

const CALLS: u64 = 200;
const AT_ONCE: usize = 50;

const TEXTS: [&str; 4] = [
    "We open at eight on weekdays, at nine on Saturdays, and on Sundays we are closed all day long.",
    "Certainly. There are three kinds of rye bread today. The dark one is baked with caraway and honey.",
    "Sure, let me see. Your order left our shop on Monday, and it should be with you by Thursday at noon.",
    "I am sorry to hear that. If you bring the receipt, we will give you a new loaf, and a coffee on top.",
];

/// The same for each run, different for each call.
struct Dice(u64);

impl Dice {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (self.0 >> 33) % (high - low)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_ends_within_a_word_of_what_was_played() {
    let studio = Studio::open().await;
    let calls = stream::iter(0..CALLS).map(|number| interrupted(&studio, number));
    let errors: Vec<i64> = calls.buffer_unordered(AT_ONCE).collect().await;
    println!("words beside what was played: {errors:?}");
    assert!(errors.iter().all(|error| error.abs() <= 1), "{errors:?}");
    studio.is_clean().await;
}

/// One call. By how many words the history is longer than what the phone has played.
async fn interrupted(studio: &Studio, number: u64) -> i64 {
    let mut dice = Dice(number + 1);
    let key = format!("heard-{number}");
    let text = TEXTS[dice.between(0, 4) as usize];
    let mut hears = deepgram::Behaviour::default().hears(["Tell me.", "Wait."]);
    hears.speak.pace = dice.between(15, 100) as f64 / 10.0;
    hears.speak.in_flight = dice.between(0, 5) as usize;
    hears.latency = Duration::from_millis(dice.between(0, 30));
    let thinks =
        chat::Behaviour { token: Duration::from_millis(dice.between(0, 30)), ..chat::Behaviour::default() };
    let all: Vec<_> = pairs().collect();
    let pair = all[number as usize % all.len()];
    let (speak, latency) = (hears.speak.clone(), hears.latency);
    let mut others = elevenlabs::Behaviour { speak, latency, ..elevenlabs::Behaviour::default() };
    others.listen.hears.clone_from(&hears.listen.hears);
    studio.elevenlabs.behave(&key, others);
    studio.deepgram.behave(&key, hears);
    studio.chat.behave(&key, thinks.replies([text, "Yes?"]));
    let options =
        studio.house.phone(pair.claims_with(&key)).delay(Duration::from_millis(dice.between(0, 60)));
    let phone = Phone::dial(options).await.unwrap();
    phone.say(speech(Duration::from_millis(900), 4 + number % 4));
    let moment = Duration::from_millis(dice.between(0, 4_500));
    phone.until(|phone| phone.playing && phone.played >= moment, LIMIT).await.unwrap();
    phone.say(speech(Duration::from_millis(900), 8 + number % 4));
    let cleared = phone.when(|phone| phone.clears.first().cloned(), LIMIT).await.unwrap();
    phone.agent_finished(Duration::from_millis(100), LIMIT).await.unwrap();
    phone.hang_up();
    phone.ended(LIMIT).await.unwrap();
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new(), "{number}");

    let told = studio.chat.request(&key, 1, LIMIT).await.unwrap().messages();
    let told = told.iter().find(|(role, _)| role == "assistant").map_or("", |(_, text)| text.as_str());
    assert!(text.starts_with(told), "{number}: {told:?}");
    // The pretend voice says each letter for 65 ms; what lies between two texts is not said.
    let mut left = cleared.played_in_all.as_millis() as usize / 65;
    let mut played = 0;
    let utterances = if pair.mouth == "elevenlabs" {
        studio.elevenlabs.voice(&key, 0, LIMIT).await.unwrap().look(|ledger| ledger.utterances.clone())
    } else {
        studio.deepgram.speaker(&key, 0, LIMIT).await.unwrap().look(|ledger| ledger.utterances.clone())
    };
    for utterance in utterances.iter().take_while(|one| one.text != "Yes?") {
        let heard: String = utterance.text.chars().take(left).collect();
        left = left.saturating_sub(utterance.text.chars().count());
        let whole = heard.len() == utterance.text.len();
        played += heard.split_whitespace().count()
            - usize::from(!whole && !heard.is_empty() && !heard.ends_with(' '));
    }
    told.split_whitespace().count() as i64 - played as i64
}
