//! The line test: the caller hears the own words after a pause, and can talk over them.

use std::time::Duration;

use sim::{phone::PhoneEnd, voice::speech};

use crate::house::{House, LIMIT, echo};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_hears_their_own_words() {
    let house = House::open().await;
    let phone = house.call(echo()).await;
    let words = speech(Duration::from_millis(1_500), 3);
    phone.say(words.clone());
    phone.agent_finished(Duration::from_millis(200), LIMIT).await.unwrap();
    phone.hang_up();
    assert!(matches!(phone.ended(LIMIT).await.unwrap(), PhoneEnd::HungUp { answered: true }));
    assert_eq!(phone.look(|phone| phone.violations.clone()), Vec::<String>::new());
}
