//! Do the picture and the recording agree with what the phone itself wrote down? A real call, compared three ways.

use std::time::Duration;

use sim::{phone::PhoneEvent, ulaw};

use crate::cli::call::{
    Call, draw,
    place::place,
    script::{self, play},
};

/// A busy machine notices things late; the order and the sound stay.
const LATE: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread")]
async fn picture_and_recording_are_what_the_phone_said_and_played() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scripts/bakery.toml");
    let script = script::read(&path).unwrap();
    let (voices, agent) = (play::voices(&script).unwrap(), script.agent.clone().unwrap());
    let words = Call::quiet();
    let mut placed = place(&words, &agent, Some(&script), script.most).await.unwrap();
    let checks = play::play(&mut placed.session, &script, &voices, true).await;
    placed.finish().await.unwrap();
    let session = placed.leave().await;
    assert!(!checks.iter().any(|check| check.failed()), "{checks:?}");
    let svg = draw("a call", &session.diary, &session.phone);
    let sound = session.phone.recording();

    // The picture has the phone's own stretches, to the millisecond.
    let (stretches, cuts) = session.phone.look(|phone| {
        let ms = |at: tokio::time::Instant| at.saturating_duration_since(phone.began).as_millis();
        let (mut open, mut stretches) = ([None, None], Vec::new());
        for (at, event) in &phone.events {
            match event {
                PhoneEvent::SpeechBegan => open[0] = Some(ms(*at)),
                PhoneEvent::PlaybackBegan => open[1] = Some(ms(*at)),
                PhoneEvent::SpeechEnded => {
                    stretches.extend(open[0].take().map(|from| ("caller", from, ms(*at))))
                }
                PhoneEvent::PlaybackRanDry { .. } | PhoneEvent::Clear | PhoneEvent::Ended => {
                    stretches.extend(open[1].take().map(|from| ("agent", from, ms(*at))));
                }
                _ => {}
            }
        }
        let cuts: Vec<_> = phone.clears.iter().map(|cut| (ms(cut.at), cut.thrown_away.as_millis())).collect();
        (stretches, cuts)
    });
    assert!(stretches.len() >= 5 && cuts.len() == 1, "{stretches:?} {cuts:?}");
    for (side, from, to) in &stretches {
        let wanted = format!("data-side=\"{side}\" data-from-ms=\"{from}\" data-to-ms=\"{to}\"");
        assert_eq!(svg.matches(&wanted).count(), 1, "{wanted}\n{svg}");
    }
    assert_eq!(svg.matches("class=\"stretch ").count(), stretches.len());
    let (at, lost) = cuts[0];
    assert!(
        svg.contains(&format!("class=\"cut\" data-at-ms=\"{at}\" data-never-heard-ms=\"{lost}\"")),
        "{svg}"
    );

    // The recording is loud where somebody speaks in the picture, and silent where nobody does.
    for (side, recorded) in [("caller", &sound.caller), ("agent", &sound.agent)] {
        let part = |from: Duration, to: Duration| {
            let place = |at| ulaw::bytes_of(at).min(recorded.len());
            ulaw::loudness(&recorded[place(from)..place(to).max(place(from))])
        };
        let mine: Vec<_> = stretches.iter().filter(|(of, ..)| *of == side).collect();
        let mut quiet_from = Duration::ZERO;
        for (_, from, to) in mine {
            let [from, to] = [from, to].map(|ms| Duration::from_millis(u64::try_from(*ms).unwrap()));
            if from > quiet_from + LATE + LATE {
                assert!(part(quiet_from + LATE, from - LATE) < 50.0, "{side} is heard before {from:?}");
            }
            if to > from + LATE + LATE {
                assert!(part(from + LATE, to - LATE) > 500.0, "{side} is not heard from {from:?} to {to:?}");
            }
            quiet_from = to;
        }
    }

    // And the words stand on the right side, the unheard ones struck through.
    assert!(svg.contains("<text class=\"words caller\"><title>When are you open"), "{svg}");
    let answer = svg.split("<text class=\"words agent\"><title>We open at six").nth(1).unwrap();
    let struck = answer.split("</text>").next().unwrap().split("class=\"unheard\">").nth(1).unwrap();
    assert!(struck.contains("closed") && !struck.contains("We open"), "{answer}");
}
