//! Paths with a query, whatever characters its values hold.

/// `path?name=value&…`, in this order. Values are escaped.
#[derive(Debug)]
pub(crate) struct Query(String);

impl Query {
    pub fn of(path: &str) -> Self {
        Self(path.to_owned())
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&escaped(value));
        self
    }

    /// Only when there is something to say.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, &value.to_string()),
            None => self,
        }
    }

    pub fn end(self) -> String {
        self.0
    }
}

/// As it may stand between two slashes or after an `=`.
pub(crate) fn escaped(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
