//! Text an attacker chose, made safe to show and exact to keep.
//!
//! Arguments, `comm`, cgroup and container names go to a terminal and into
//! JSON. On the terminal they must not move the cursor, reorder a line or hide
//! in it; in JSON no byte may be lost. This file must not know which field it
//! is given or where the result goes.

pub(crate) mod json;
pub(crate) mod shell;

use std::borrow::Cow;

/// `text` for a terminal, one line, every character visible.
///
/// Controls, line and paragraph separators, and invisible or reordering format
/// characters become `\n`, `\r`, `\t`, `\x1b` or `\u{202e}`. A backslash is
/// always doubled: were it left alone in text that needs no other escape, a
/// name spelt `\x1b` would print as the character does.
#[must_use]
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(|c| c == '\\' || is_unsafe(c)) else {
        return Cow::Borrowed(text);
    };
    let (plain, rest) = text.split_at(first);
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(plain);
    for c in rest.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if !is_unsafe(c) => shown.push(c),
            _ => match u8::try_from(c) {
                Ok(byte) if byte.is_ascii() => push_byte(&mut shown, byte),
                _ => shown.extend(c.escape_unicode()),
            },
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal would act on `c`, or show nothing for it.
#[must_use]
pub const fn is_unsafe(c: char) -> bool {
    matches!(c,
        // C0, DEL and C1; U+009B alone starts a control sequence.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Soft hyphen, Arabic letter mark.
        | '\u{ad}' | '\u{61c}'
        // Zero-width characters and the two direction marks.
        | '\u{200b}'..='\u{200f}'
        // Line and paragraph separators, bidirectional embeddings and overrides.
        | '\u{2028}'..='\u{202e}'
        // Word joiner, invisible operators, bidirectional isolates, deprecated formats.
        | '\u{2060}'..='\u{206f}'
        // Letters that are drawn as nothing: combining grapheme joiner, Hangul fillers,
        // Khmer inherent vowels, Mongolian variation selectors, an empty Braille pattern.
        | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
        // Variation selectors.
        | '\u{fe00}'..='\u{fe0f}'
        // Byte order mark, interlinear annotations.
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        // Tags and variation selectors: whole messages that no font draws.
        | '\u{e0000}'..='\u{e0fff}')
}

/// How many bytes `text` takes inside a JSON string as events are written: a control
/// character takes six.
#[must_use]
pub fn json_length(text: &str) -> usize {
    let plain = |byte: u8| (b' '..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(plain) { text.len() } else { text.chars().map(json_length_of).sum() }
}

/// The longest start of `text` that takes at most so many bytes inside a JSON string.
#[must_use]
pub fn json_cut(text: &str, most: usize) -> &str {
    let mut length = 0;
    let end = text.char_indices().find(|(_, c)| {
        length += json_length_of(*c);
        length > most
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

const fn json_length_of(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if is_unsafe(c) => 6 * c.len_utf16(),
        c => c.len_utf8(),
    }
}

/// Bytes from the kernel as text, with nothing lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text {
    /// The bytes themselves when they are valid UTF-8 (`hex` is `None`), control
    /// characters included. Otherwise each invalid byte is `\xNN` and each
    /// backslash is doubled.
    pub readable: String,
    /// The exact bytes in lower-case hexadecimal, when they are not valid UTF-8.
    pub hex: Option<String>,
}

/// `bytes` as [`Text`].
#[must_use]
pub fn text(bytes: &[u8]) -> Text {
    if let Ok(valid) = str::from_utf8(bytes) {
        return Text { readable: valid.to_owned(), hex: None };
    }
    let mut readable = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' {
                readable.push('\\');
            }
            readable.push(c);
        }
        for byte in chunk.invalid() {
            push_byte(&mut readable, *byte);
        }
    }
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        push_hex(&mut hex, *byte);
    }
    Text { readable, hex: Some(hex) }
}

/// Arguments as one line of text, separated by spaces, for reading only.
#[must_use]
pub fn command_line(arguments: &[Vec<u8>]) -> String {
    let mut line = String::new();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(&text(argument).readable);
    }
    line
}

fn push_byte(to: &mut String, byte: u8) {
    to.push_str("\\x");
    push_hex(to, byte);
}

fn push_hex(to: &mut String, byte: u8) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    to.push(char::from(DIGITS[usize::from(byte >> 4)]));
    to.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed() -> impl Iterator<Item = char> {
        ('\0'..='\u{1f}')
            .chain('\u{7f}'..='\u{9f}')
            .chain('\u{202a}'..='\u{202e}')
            .chain('\u{2066}'..='\u{2069}')
            .chain(['\u{200e}', '\u{200f}', '\u{61c}'])
            .chain(['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'])
            .chain(['\u{2028}', '\u{2029}'])
            .chain(['\u{3164}', '\u{115f}', '\u{1160}', '\u{ffa0}', '\u{2800}', '\u{34f}'])
            .chain(['\u{17b4}', '\u{17b5}'])
            .chain('\u{180b}'..='\u{180f}')
            .chain('\u{fe00}'..='\u{fe0f}')
    }

    /// Reads back what [`for_terminal`] wrote.
    fn unescape(shown: &str) -> String {
        let mut text = String::new();
        let mut rest = shown.chars();
        while let Some(c) = rest.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            let digits: String = match rest.next().expect("an escape has a letter") {
                '\\' => "5c".into(),
                'n' => "a".into(),
                'r' => "d".into(),
                't' => "9".into(),
                'x' => rest.by_ref().take(2).collect(),
                'u' => rest.by_ref().skip(1).take_while(|c| *c != '}').collect(),
                other => panic!("no escape {other}"),
            };
            let code = u32::from_str_radix(&digits, 16).expect("an escape has digits");
            text.push(char::from_u32(code).expect("an escape is a character"));
        }
        text
    }

    fn decode(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        pairs
            .map(|pair| {
                let pair = str::from_utf8(pair).expect("hexadecimal is ASCII");
                u8::from_str_radix(pair, 16).expect("two digits")
            })
            .collect()
    }

    #[test]
    fn examples() {
        assert!(matches!(for_terminal("nginx: worker \u{e9}\u{1f980}"), Cow::Borrowed(_)));
        assert_eq!(for_terminal("a\n\r\tb\x1b[31m"), "a\\n\\r\\tb\\x1b[31m");
        assert_eq!(for_terminal("\u{9b}31m\u{202e}gpj.sh"), "\\u{9b}31m\\u{202e}gpj.sh");
        assert_eq!(for_terminal("\\x1b"), "\\\\x1b");
        assert_eq!(for_terminal(""), "");
    }

    #[test]
    fn every_listed_character_is_escaped() {
        for c in listed() {
            let shown = for_terminal(c.encode_utf8(&mut [0; 4])).into_owned();
            assert!(shown.is_ascii() && shown.starts_with('\\'), "{c:?} gave {shown:?}");
        }
    }

    #[test]
    fn every_byte_alone() {
        for byte in 0..=u8::MAX {
            let text = text(&[byte]);
            if byte.is_ascii() {
                assert_eq!((text.readable.as_bytes(), &text.hex), (&[byte][..], &None));
            } else {
                assert_eq!(text.readable, format!("\\x{byte:02x}"));
                assert_eq!(text.hex, Some(format!("{byte:02x}")));
            }
            let shown = for_terminal(&text.readable).into_owned();
            let is_plain = (b' '..=b'~').contains(&byte) && byte != b'\\';
            assert_eq!(shown.starts_with('\\'), !is_plain, "{byte:#x}");
            assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{byte:#x}");
        }
    }

    #[test]
    fn every_character_comes_back() {
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            assert_eq!(unescape(&for_terminal(&text)), text);
        }
    }

    #[test]
    fn invalid_bytes_among_valid_text() {
        let text = text(b"a\\\xff\xe2\x82b\n");
        assert_eq!(text.readable, "a\\\\\\xff\\xe2\\x82b\n");
        assert_eq!(text.hex.as_deref(), Some("615cffe282620a"));
    }

    /// Strings thick with what must be escaped.
    fn hostile() -> impl Strategy<Value = String> {
        let listed: Vec<char> = listed().collect();
        let c = prop_oneof![any::<char>(), prop::sample::select(listed), Just('\\')];
        prop::collection::vec(c, 0..40).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_shown(text in hostile()) {
            let shown = for_terminal(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() || listed().any(|bad| bad == c)));
            prop_assert_eq!(unescape(&shown), text);
        }

        #[test]
        fn borrowed_when_and_only_when_unchanged(text in hostile()) {
            let shown = for_terminal(&text);
            prop_assert_eq!(matches!(shown, Cow::Borrowed(_)), shown == text);
        }

        #[test]
        fn no_byte_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let text = text(&bytes);
            match &text.hex {
                None => prop_assert_eq!(text.readable.as_bytes(), &bytes),
                Some(hex) => prop_assert_eq!(decode(hex), bytes),
            }
        }
    }
}
