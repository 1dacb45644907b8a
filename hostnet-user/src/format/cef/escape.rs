//! CEF's escapes, and ours for what it has none for.
//!
//! In the header `|` and `\` are escaped, in a value `=`, `\`, CR and LF. A value
//! with another character that no line should have, or with a space at an end,
//! where readers trim, is written as a JSON text in its quotes; the caller marks
//! it, so that nothing is lost and nothing is taken for what it is not.

use crate::text::{self, json};

/// Appends a part of the header. There is no escape for a line's end there; a
/// header of ours never has one, and were it to, it would become a space.
pub fn header(value: &str, to: &mut Vec<u8>) {
    for c in value.chars() {
        match c {
            '|' | '\\' => to.push(b'\\'),
            c if text::is_unsafe(c) => {
                to.push(b' ');
                continue;
            }
            _ => {}
        }
        to.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Appends a value; whether it had to be made a JSON text.
#[must_use]
pub fn extension(value: &str, to: &mut Vec<u8>) -> bool {
    let is_simple = |byte: u8| (b'!'..=b'~').contains(&byte) && !matches!(byte, b'\\' | b'=');
    if value.bytes().all(is_simple) {
        to.extend_from_slice(value.as_bytes());
        return false;
    }
    let is_plain = |c: char| matches!(c, '\n' | '\r') || !text::is_unsafe(c);
    let is_trimmed = value.trim().len() == value.len();
    let needs_json = !is_trimmed || !value.chars().all(is_plain);
    if needs_json {
        escape(json::raw(&value).get(), to);
    } else {
        escape(value, to);
    }
    needs_json
}

fn escape(value: &str, to: &mut Vec<u8>) {
    for byte in value.bytes() {
        match byte {
            b'\\' => to.extend_from_slice(b"\\\\"),
            b'=' => to.extend_from_slice(b"\\="),
            b'\n' => to.extend_from_slice(b"\\n"),
            b'\r' => to.extend_from_slice(b"\\r"),
            byte => to.push(byte),
        }
    }
}
