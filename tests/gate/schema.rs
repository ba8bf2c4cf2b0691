//! The committed JSON Schema says what the gate reads.
#![cfg(feature = "tools")]

use std::collections::BTreeSet;

use patchcord::gate::schema;
use serde_json::Value;

#[test]
fn the_committed_schema_is_current() {
    let committed = include_str!("../../schema/call-token.schema.json");
    let hint = "run `cargo run -- token --schema > schema/call-token.schema.json` and commit the file";
    // Line ends may be changed by a checkout.
    assert!(committed.replace("\r\n", "\n") == schema(), "the schema has changed: {hint}");
}

#[test]
fn the_schema_knows_every_field_at_the_top_and_refuses_others() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let known: BTreeSet<&str> =
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let fields = "iss aud sub acct iat exp nbf jti v agent legs keys tools call report context region config \
                  agentId openAIKey prompt voice temperature";
    assert_eq!(known, fields.split_whitespace().collect());
    let required: BTreeSet<&str> =
        schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(required, ["iss", "aud", "iat", "exp"].into());
}
