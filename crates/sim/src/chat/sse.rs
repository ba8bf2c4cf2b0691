//! Which bytes is an event, and where may they be cut? Anywhere: a reader must not care, so some seeds do it.

use super::plan::Say;
use crate::dice::Dice;

/// The habits that [`super::Behaviour::seed`] chooses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    crlf: bool,
    pub cuts: bool,
    pub joins: bool,
    tight: bool,
    pub nulls: bool,
}

impl Habits {
    pub fn of(seed: u64) -> Self {
        let has = |bit| seed & bit != 0;
        Self { crlf: has(1), cuts: has(2), joins: has(4), tight: has(8), nulls: has(16) }
    }
}

pub(super) fn bytes(say: &Say, habits: Habits) -> Vec<u8> {
    let end = if habits.crlf { "\r\n" } else { "\n" };
    let space = if habits.tight { "" } else { " " };
    let text = match say {
        Say::Chunk(value) => format!("data:{space}{value}{end}{end}"),
        Say::Error(value) => format!("event:{space}error{end}data:{space}{value}{end}{end}"),
        Say::Comment(comment) => format!(":{comment}{end}{end}"),
        Say::Done => format!("data:{space}[DONE]{end}{end}"),
    };
    text.into_bytes()
}

/// Behind the first byte of a long character if there is one, else somewhere.
pub(super) fn place_to_cut(bytes: &[u8], dice: &mut Dice) -> usize {
    match bytes.iter().position(|byte| !byte.is_ascii()) {
        Some(at) => at + 1,
        None => dice.between(1, (bytes.len() as u64).saturating_sub(1).max(1)) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn habits_show_in_the_bytes() {
        let say = Say::Chunk(json!({"a": 1}));
        assert_eq!(bytes(&say, Habits::of(0)), b"data: {\"a\":1}\n\n");
        assert_eq!(bytes(&say, Habits::of(1)), b"data: {\"a\":1}\r\n\r\n");
        assert_eq!(bytes(&say, Habits::of(8)), b"data:{\"a\":1}\n\n");
        assert_eq!(bytes(&Say::Comment(""), Habits::of(0)), b":\n\n");
    }

    #[test]
    fn a_long_character_is_cut_in_its_middle() {
        let text = "so schön";
        let at = place_to_cut(text.as_bytes(), &mut Dice::new(1));
        assert!(!text.is_char_boundary(at));
        let at = place_to_cut(b"plain", &mut Dice::new(1));
        assert!((1..5).contains(&at));
    }
}
