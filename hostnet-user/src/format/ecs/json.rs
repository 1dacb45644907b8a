//! JSON in which no character could drive a terminal, whoever prints the line:
//! DEL, C1 controls, line separators and characters that reorder text are
//! escaped, beside the C0 controls that JSON escapes anyway. Nothing is lost.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{ser::Formatter, value::RawValue};

/// Writes `value` to `to`.
///
/// # Errors
/// When the value is not JSON, or `to` cannot be written.
pub fn write(to: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(to, Plain))
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
        for c in fragment.chars() {
            if crate::text::is_unsafe(c) {
                // A character outside the basic plane takes two escapes.
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                writer.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_characters_are_escaped_and_come_back() {
        let text = "a\u{7f}\u{9b}31m\u{202e}\u{2028}\u{e0001}é\n";
        let mut bytes = Vec::new();
        write(&mut bytes, &text).unwrap();
        let line = String::from_utf8(bytes).unwrap();
        assert_eq!(line, r#""a\u007f\u009b31m\u202e\u2028\udb40\udc01é\n""#);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
