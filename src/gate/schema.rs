//! The JSON Schema of a call token, made from the very types that read it.
//!
//! It is committed as `schema/call-token.schema.json`; a test compares. What it cannot say, such as what
//! does not go together, only the gate checks.

use schemars::{JsonSchema, generate::SchemaSettings};

use super::claims::{Body, Registered};

/// The schema as JSON text, ready to be written to the file.
pub fn schema() -> String {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = generator.into_root_schema_for::<CallToken>();
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text + "\n"
}

/// The claims of a Patchcord call token.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct CallToken {
    #[schemars(flatten)]
    registered: Registered,
    #[schemars(flatten)]
    body: Body,
}
