//! Where a token is found, and what is wrong with one that comes in pieces.

use patchcord::gate::{
    Code,
    poke::poke,
    travel::{AtUpgrade, CHUNKS_MAX, Place, at_upgrade, in_start},
};
use proptest::prelude::*;

#[test]
fn the_first_place_that_has_a_token_wins() {
    let all = AtUpgrade {
        authorization: Some("Bearer a.b.c"),
        telnyx: Some("d.e.f"),
        segment: Some("g.h.i"),
        query: Some("x=1&token=j.k.l&y=2"),
    };
    let found =
        |request: AtUpgrade<'_>| at_upgrade(&request).map(|found| (found.place, found.token.into_owned()));
    assert_eq!(found(all), Some((Place::Authorization, "a.b.c".into())));
    let request = AtUpgrade { authorization: None, ..all };
    assert_eq!(found(request), Some((Place::TelnyxHeader, "d.e.f".into())));
    let request = AtUpgrade { telnyx: Some(""), ..request };
    assert_eq!(found(request), Some((Place::Path, "g.h.i".into())));
    let request = AtUpgrade { segment: None, ..request };
    assert_eq!(found(request), Some((Place::Query, "j.k.l".into())));
    assert_eq!(found(AtUpgrade { query: Some("tokens=1&x"), ..request }), None);
}

#[test]
fn other_kinds_of_authorization_are_not_tokens() {
    for (header, token) in [
        ("Basic dTpw", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("bearer  a.b.c ", Some("a.b.c")),
        ("BEARER a.b.c", Some("a.b.c")),
        ("Bearera.b.c", None),
    ] {
        let request = AtUpgrade { authorization: Some(header), ..AtUpgrade::default() };
        assert_eq!(at_upgrade(&request).map(|found| found.token.into_owned()).as_deref(), token, "{header}");
    }
}

fn parameters(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn start(pairs: &[(&str, &str)]) -> Result<Option<String>, Code> {
    let parameters = parameters(pairs);
    let found = in_start(&parameters).map_err(|refusal| refusal.code)?;
    Ok(found.map(|found| found.token.into_owned()))
}

#[test]
fn chunks_are_put_together_in_their_order_whatever_order_they_come_in() {
    let pairs = [("t2", "c"), ("other", "x"), ("tn", "3"), ("t0", "a"), ("tx", "y"), ("t1", "b")];
    assert_eq!(start(&pairs), Ok(Some("abc".into())));
    let chunks: Vec<_> =
        (0..99).map(|n| (format!("t{n}"), format!("{n}."))).chain([("tn".into(), "99".into())]).collect();
    let whole: String = (0..99).map(|n| format!("{n}.")).collect();
    assert_eq!(in_start(&chunks).unwrap().unwrap().token, whole);
}

#[test]
fn one_parameter_may_hold_it_all() {
    assert_eq!(start(&[("token", "a.b.c"), ("t0", "x")]), Ok(Some("a.b.c".into())));
    assert_eq!(start(&[("agent", "x")]), Ok(None));
    assert_eq!(start(&[("token", "")]), Ok(None));
    assert_eq!(start(&[]), Ok(None));
}

#[test]
fn chunks_that_do_not_add_up_are_refused() {
    for (name, pairs, code) in [
        ("the first is missing", &[("t1", "b"), ("tn", "2")][..], Code::TokenChunkMissing),
        ("the last is missing", &[("t0", "a"), ("tn", "2")], Code::TokenChunkMissing),
        ("one is empty", &[("t0", "a"), ("t1", ""), ("tn", "2")], Code::TokenChunkMissing),
        ("only the count", &[("tn", "2")], Code::TokenChunkMissing),
        ("one is written otherwise", &[("t0", "a"), ("t01", "b"), ("tn", "2")], Code::TokenChunkMissing),
        ("no count", &[("t0", "a"), ("t1", "b")], Code::TokenChunkCount),
        ("the count is a word", &[("t0", "a"), ("tn", "one")], Code::TokenChunkCount),
        ("the count has a sign", &[("t0", "a"), ("tn", "+1")], Code::TokenChunkCount),
        ("the count is nothing", &[("t0", "a"), ("tn", "")], Code::TokenChunkCount),
        ("the count is 0", &[("t0", "a"), ("tn", "0")], Code::TokenChunkCount),
        ("more came than counted", &[("t0", "a"), ("t1", "b"), ("tn", "1")], Code::TokenChunkCount),
        ("one came twice", &[("t0", "a"), ("t0", "b"), ("tn", "1")], Code::TokenChunkCount),
        ("the count is 100", &[("t0", "a"), ("tn", "100")], Code::TokenTooManyChunks),
        ("the count is endless", &[("t0", "a"), ("tn", "99999999999999999999999")], Code::TokenTooManyChunks),
    ] {
        assert_eq!(start(pairs), Err(code), "{name}");
    }
    let many: Vec<_> =
        (0..=CHUNKS_MAX).map(|n| (format!("t{n}"), "a".into())).chain([("tn".into(), "2".into())]).collect();
    assert_eq!(in_start(&many).unwrap_err().code, Code::TokenTooManyChunks);
    let chunk = "a".repeat(33_000);
    assert_eq!(start(&[("t0", &chunk), ("t1", &chunk), ("tn", "2")]), Err(Code::TokenTooLarge));
}

#[test]
fn a_debug_print_shows_no_token() {
    let request = AtUpgrade {
        authorization: Some("Bearer MARKER"),
        telnyx: Some("MARKER"),
        segment: Some("MARKER"),
        query: Some("token=MARKER"),
    };
    let chunks = parameters(&[("t0", "MARKER"), ("tn", "1")]);
    let shown = format!("{request:?} {:?} {:?}", at_upgrade(&request), in_start(&chunks));
    assert!(!shown.contains("MARKER"), "{shown}");
}

proptest! {
    #[test]
    fn nothing_a_stranger_sends_makes_the_gate_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        poke(&bytes);
    }

    #[test]
    fn no_text_does_either(text in "\\PC{0,200}") {
        poke(text.as_bytes());
    }

    #[test]
    fn nor_anything_that_looks_like_a_token(token in "([A-Za-z0-9_-]{0,40}\\.){0,6}[A-Za-z0-9_-]{0,40}") {
        poke(token.as_bytes());
    }

    #[test]
    fn nor_claims_with_wild_values(value in json(), field in prop::sample::select(FIELDS)) {
        let mut claims = crate::scene::claims();
        claims[field] = value;
        poke(claims.to_string().as_bytes());
    }

    #[test]
    fn nor_parameters_in_any_number(names in prop::collection::vec("t[0-9n]{0,3}=[a-z]{0,4}", 0..120)) {
        poke(names.join("\n").as_bytes());
    }
}

const FIELDS: &[&str] = &[
    "iss", "aud", "exp", "iat", "v", "agent", "legs", "keys", "tools", "call", "report", "context", "config",
    "prompt",
];

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[a-z_ü\u{0}]{0,8}".prop_map(Into::into),
        prop::sample::select(&["openai", "echo", "cascade", "function", "semantic_vad"][..])
            .prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let names = prop::sample::select(
            &["kind", "prompt", "turn", "mode", "openai", "name", "url", "idle", "x"][..],
        );
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::hash_map(names, inner, 0..5).prop_map(|map| map
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}
