//! JSON, with the line of each field, and no name twice.
//!
//! serde_json reads it and says whether it is JSON at all; then its text is walked a second time for the lines, which
//! serde_json does not keep. The second reader meets valid JSON only, not nested deeper than the first allows.

use serde_json::{Map, Value};

use super::{
    Syntax,
    places::{self, Places},
};

pub(super) fn read(text: &str, places: &mut Places) -> Result<Map<String, Value>, Vec<Syntax>> {
    let value: Value = serde_json::from_str(text).map_err(|error| vec![syntax(&error)])?;
    let mut walk = Walk { bytes: text.as_bytes(), at: 0, line: 1, places, twice: Vec::new() };
    walk.value("");
    if !walk.twice.is_empty() {
        return Err(walk.twice);
    }
    match value {
        Value::Object(fields) => Ok(fields),
        _ => {
            let text =
                "must hold an object with `agent`, `legs` and so on, as a token's claims do".to_owned();
            Err(vec![Syntax { line: Some(1), text }])
        }
    }
}

fn syntax(error: &serde_json::Error) -> Syntax {
    let what = error.to_string();
    let what = what.rsplit_once(" at line ").map_or(&*what, |(what, _)| what);
    let text = format!("is not JSON: {what}, in column {}", error.column());
    Syntax { line: Some(error.line().max(1)), text }
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    places: &'a mut Places,
    twice: Vec<Syntax>,
}

impl Walk<'_> {
    fn value(&mut self, path: &str) {
        match self.next() {
            b'{' => self.object(path),
            b'[' => self.array(path),
            b'"' => drop(self.string()),
            _ => self.word(),
        }
    }

    fn object(&mut self, path: &str) {
        self.at += 1;
        let mut seen = Map::new();
        while self.next() == b'"' {
            let name = self.string();
            let line = self.line;
            let path = places::field(path, &name);
            if seen.insert(name, Value::Null).is_some() {
                let text = format!("`{path}` stands here a second time: keep one");
                self.twice.push(Syntax { line: Some(line), text });
            }
            self.places.note(&path, line);
            self.next(); // the colon
            self.at += 1;
            self.value(&path);
            if self.next() == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn array(&mut self, path: &str) {
        self.at += 1;
        let mut index = 0;
        while !matches!(self.next(), b']' | 0) {
            let path = places::item(path, index);
            self.places.note(&path, self.line);
            self.value(&path);
            if self.next() == b',' {
                self.at += 1;
            }
            index += 1;
        }
        self.at += 1;
    }

    /// The string that begins here. It has no line break in it.
    fn string(&mut self) -> String {
        let begin = self.at;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at).filter(|byte| **byte != b'"') {
            self.at += if *byte == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        let whole = self.bytes.get(begin..self.at).unwrap_or_default();
        serde_json::from_slice(whole).unwrap_or_default()
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| b",]} \t\r\n".contains(byte));
        // At least one: whatever it is, the walk comes to an end.
        self.at += end.unwrap_or(rest.len()).max(1);
    }

    /// What comes after blanks; 0 at the end.
    fn next(&mut self) -> u8 {
        while let Some(byte) = self.bytes.get(self.at).filter(|byte| b" \t\r\n".contains(byte)) {
            self.line += usize::from(*byte == b'\n');
            self.at += 1;
        }
        self.bytes.get(self.at).copied().unwrap_or(0)
    }
}
