//! One event as an RFC 5424 message in an octet-counted frame (RFC 5425 §4.3,
//! RFC 6587 §3.4.1): its length is before it, so that no byte in it ends it.
//!
//! The time is the event's, not that of sending, and nothing in the header comes
//! from an attacker but through `printable`.

use std::io::Write as _;

use jiff::Timestamp;

use super::{super::Message, Facility};
use crate::sink::document::{Head, Level};

/// RFC 5424's limits in bytes.
const LONGEST_HOSTNAME: usize = 255;
const LONGEST_MSGID: usize = 32;

/// Our structured data. 32473 is the number that RFC 5612 gives to those who have
/// none of their own.
const SD_ID: &str = "hostnet@32473";

/// Appends the frame, and returns the message's length without the count.
pub fn append(frames: &mut Vec<u8>, message: &Message<'_>, facility: Facility) -> usize {
    let row = message.row;
    let head = Head::of(row);
    let priority = (facility as u8) << 3 | severity(head.level());
    let time = Timestamp::from_nanosecond(i128::from(row.time_ns)).unwrap_or_default();
    let header = format!(
        "<{priority}>1 {time:.6} {} hostnet - {} [{SD_ID} sequence=\"{}\" id=\"{}\"] ",
        printable(&head.host.name, LONGEST_HOSTNAME),
        printable(&row.action, LONGEST_MSGID),
        row.sequence,
        // A uuid, and no less once printable: what SD would escape is not in it.
        printable(&row.event_id, LONGEST_HOSTNAME).replace(['"', '\\', ']'], "?"),
    );
    let length = header.len() + message.body.len();
    // Writing to memory cannot fail.
    let _infallible = write!(frames, "{length} {header}");
    frames.extend_from_slice(message.body);
    length
}

/// PRINTUSASCII of at most so many bytes; `-` where there is nothing.
fn printable(text: &str, longest: usize) -> String {
    let visible = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    let text: String = text.chars().take(longest).map(visible).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// RFC 5424 table 2.
const fn severity(level: Level) -> u8 {
    match level {
        Level::Critical => 2,
        Level::Error => 3,
        Level::Warning => 4,
        Level::Notice => 5,
        Level::Information => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;

    fn row(host: &str, action: &str) -> Row {
        let document = serde_json::json!({"host": {"name": host}, "event": {"kind": "alert"}});
        Row {
            id: 1,
            sequence: 7,
            time_ns: 1_700_000_000_123_456_789,
            event_id: "0193599e-7d4b-7c31-9b2e-5f1d0a6c8e42".into(),
            dataset: "hostnet.network",
            action: action.into(),
            document: document.to_string().into_bytes(),
            ..Row::default()
        }
    }

    #[test]
    fn a_frame() {
        let row = row("node1", "bound-socket");
        let mut frames = Vec::new();
        let length = append(&mut frames, &Message { row: &row, body: b"{}" }, Facility::Local0);
        let text = "<132>1 2023-11-14T22:13:20.123456Z node1 hostnet - bound-socket \
                    [hostnet@32473 sequence=\"7\" id=\"0193599e-7d4b-7c31-9b2e-5f1d0a6c8e42\"] {}";
        assert_eq!(String::from_utf8(frames).unwrap(), format!("{length} {text}"));
        assert_eq!(length, text.len());
    }

    #[test]
    fn a_header_has_no_byte_of_an_attacker() {
        let mut row = row("no de\n<1>", "a b\u{202e}c]\"");
        row.event_id = "]\"\\ x".into();
        let mut frames = Vec::new();
        append(&mut frames, &Message { row: &row, body: b"{}" }, Facility::Local0);
        let text = String::from_utf8(frames).unwrap();
        let header = " no?de?<1> hostnet - a?b?c]\" [hostnet@32473 sequence=\"7\" id=\"????x\"] {}";
        assert!(text.ends_with(header), "{text}");
    }
}
