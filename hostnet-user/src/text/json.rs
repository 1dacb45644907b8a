//! JSON in which no character could drive a terminal, whoever prints it: DEL, C1
//! controls, line separators, and characters that reorder text or are not drawn are
//! escaped, beside the C0 controls that JSON escapes anyway. Nothing is lost.
//!
//! All JSON that hostnet writes is written here (`cargo xtask tidy`).

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde::Serialize;
use serde_json::{ser::Formatter, value::RawValue};

use crate::text::is_unsafe;

/// Writes `value` to `to`, in one line.
///
/// # Errors
/// When the value is not JSON, or `to` cannot be written.
pub fn write(to: &mut (impl Write + ?Sized), value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(to, Plain))
}

/// A value in many lines, for a person as well, and a newline.
///
/// # Errors
/// When the value is not JSON.
pub fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = escaped(&serde_json::to_string_pretty(value)?).into_owned();
    text.push('\n');
    Ok(text)
}

/// JSON that somebody else wrote: only in its strings is anything but ASCII.
pub fn escaped(json: &str) -> Cow<'_, str> {
    if !json.chars().any(must_go) {
        return Cow::Borrowed(json);
    }
    let mut text = Vec::with_capacity(json.len() + 32);
    // Writing to memory cannot fail, and what is written is UTF-8.
    let _infallible = escape(&mut text, json);
    String::from_utf8(text).map_or(Cow::Borrowed(json), Cow::Owned)
}

/// A value as the bytes it is written as.
pub fn raw(value: &impl Serialize) -> Box<RawValue> {
    // Values built here have string keys and no floats that JSON lacks.
    let mut bytes = Vec::new();
    let written = write(&mut bytes, value).ok();
    let text = written.and_then(|()| String::from_utf8(bytes).ok());
    text.and_then(|text| RawValue::from_string(text).ok())
        .unwrap_or_else(|| RawValue::NULL.to_owned())
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        escape(writer, fragment)
    }
}

/// Whether JSON has to escape this one beside what it escapes anyway.
const fn must_go(c: char) -> bool {
    c >= '\u{7f}' && is_unsafe(c)
}

fn escape(to: &mut (impl Write + ?Sized), text: &str) -> io::Result<()> {
    for c in text.chars() {
        if must_go(c) {
            // A character outside the basic plane takes two escapes.
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}")?;
            }
        } else {
            to.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{7f}\u{9b}31m\u{202e}\u{2028}\u{e0001}é\n";

    #[test]
    fn unsafe_characters_are_escaped_and_come_back() {
        let mut bytes = Vec::new();
        write(&mut bytes, &HOSTILE).unwrap();
        let line = String::from_utf8(bytes).unwrap();
        assert_eq!(line, r#""a\u007f\u009b31m\u202e\u2028\udb40\udc01é\n""#);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), HOSTILE);
        assert_eq!(escaped(&serde_json::to_string(HOSTILE).unwrap()), line);
        assert!(matches!(escaped("{\n  \"é\": 1\n}"), Cow::Borrowed(_)));
    }

    #[test]
    fn lines_for_a_person_are_as_safe() {
        let value = serde_json::json!({ HOSTILE: [HOSTILE] });
        let text = pretty(&value).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text:?}");
        assert_eq!(text.lines().count(), 5);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn the_length_of_a_text_is_what_is_written() {
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            let length = raw(&text).get().len() - 2;
            assert_eq!(crate::text::json_length(&text), length, "{c:?}");
            assert_eq!(crate::text::json_cut(&text, length), text, "{c:?}");
            assert_eq!(crate::text::json_cut(&text, length - 1), "", "{c:?}");
        }
    }
}
