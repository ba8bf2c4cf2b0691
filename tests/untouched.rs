//! Is audio passed on as it came between a carrier and a leg that both speak µ-law? Nothing may decode it. A file of its
//! own, for the count is the whole process's, and there must be no other call in it.
#![cfg(debug_assertions)] // in a release nobody counts

#[expect(dead_code, reason = "the calls' house has more rooms than this one call needs")]
#[path = "calls/house.rs"]
mod house;

use std::time::Duration;

use house::{House, LIMIT, openai};
use sim::{
    openai::{Behaviour, OpenAi, OpenAiOptions, Reply},
    phone::{Carrier, Phone, PhoneOptions},
    voice::speech,
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_decoded_on_the_way_of_ulaw() {
    let provider = OpenAi::start(OpenAiOptions::default()).await.unwrap();
    let house = House::with(&[("OPENAI_BASE_URL", &provider.base_url())]).await;
    for carrier in [Carrier::Twilio, Carrier::SignalWire, Carrier::Plivo] {
        let reply = Reply::say("We open at eight on weekdays, and at nine on Saturdays.");
        provider.behave("sk-untouched", Behaviour::default().replies([reply]));
        let before = call::decoded::times();
        let url = format!("ws://{}/stream/{}", house.relay.address, carrier.route());
        let options = PhoneOptions::new(url).carrier(carrier);
        let token = house::token(&options.ids.call_sid, &openai("sk-untouched"));
        let phone = Phone::dial(options.token(&token)).await.unwrap();
        phone.say(speech(Duration::from_millis(1_200), 5));
        phone.said(LIMIT).await.unwrap();
        phone.agent_finished(Duration::from_millis(300), LIMIT).await.unwrap();
        let mut news = house.listen();
        phone.hang_up();
        let tally = news.ended().await.tally;
        assert!(tally.frames_in > 100 && tally.frames_out > 2, "{carrier}: {tally:?}");
        assert_eq!(call::decoded::times() - before, 0, "{carrier}");
    }
    // And the count counts.
    call::Audio::ulaw(&[7]).decode();
    assert_eq!(call::decoded::times(), 1);
}
