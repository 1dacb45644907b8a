//! One event per line, for whatever takes NDJSON.

use crate::sink::Message;

/// Appends the request's body and returns its type.
pub fn write(request: &mut Vec<u8>, messages: &[Message<'_>]) -> &'static str {
    for message in messages {
        request.extend_from_slice(message.body);
        request.push(b'\n');
    }
    "application/x-ndjson"
}
