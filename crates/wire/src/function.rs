//! A tool, as a model is told about it.

use serde_json::{Map, Value, json};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Function {
    pub name: String,
    /// When to call it, and for what.
    pub description: Option<String>,
    /// A JSON Schema; no arguments when left out.
    pub parameters: Option<Map<String, Value>>,
}

impl Function {
    /// Name, description and parameters. Vendors differ in what stands around them.
    pub(crate) fn describe(&self) -> Map<String, Value> {
        let none = || json!({ "type": "object", "properties": {} });
        let mut function = Map::new();
        function.insert("name".into(), self.name.as_str().into());
        if let Some(description) = &self.description {
            function.insert("description".into(), description.as_str().into());
        }
        function.insert("parameters".into(), self.parameters.clone().map_or_else(none, Value::Object));
        function
    }
}
