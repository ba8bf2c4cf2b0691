//! Which leg used what, when several of them took part.

use call::*;

use crate::scene::{Scene, failure};

fn used(text_in: u64) -> LegEvent {
    LegEvent::Used(Usage { text_in, ..Usage::default() })
}

#[test]
fn each_leg_has_an_account_of_its_own() {
    let mut scene = Scene::live(Config { legs: vec![LegRules::default(); 3], ..Config::default() });
    scene.leg(used(5));
    scene.leg(LegEvent::Failed(failure(FailureKind::Closed)));
    // Nothing is to be had from the second one.
    scene.leg(LegEvent::Failed(failure(FailureKind::Unreachable)));
    scene.leg(LegEvent::Ready);
    scene.leg(used(7));
    scene.leg(used(2));
    scene.carrier(CarrierEvent::Stopped);
    let summary = scene.ended().unwrap();
    let texts: Vec<_> = summary.usage.legs().iter().map(|leg| leg.text_in).collect();
    assert_eq!(texts, [5, 0, 9]);
    assert_eq!(summary.legs.len(), texts.len());
}

#[test]
fn what_is_used_while_a_leg_is_being_opened_is_its_own() {
    let mut scene = Scene::live(Config { legs: vec![LegRules::default(); 2], ..Config::default() });
    scene.leg(LegEvent::Failed(failure(FailureKind::Closed)));
    scene.leg(used(3)); // the ear hears before the mouth is there
    scene.leg(LegEvent::Ready);
    scene.carrier(CarrierEvent::Stopped);
    let summary = scene.ended().unwrap();
    assert_eq!(summary.usage.legs().iter().map(|leg| leg.text_in).collect::<Vec<_>>(), [0, 3]);
}
