//! One event per line, for whatever takes NDJSON. ClickHouse says by a code of its own
//! what went wrong: its statuses differ between versions.

use super::{
    client::Reply,
    verdict::{Verdict, by_status, nothing_taken},
};
use crate::sink::Message;

/// Appends the request's body and returns its type.
pub fn write(request: &mut Vec<u8>, messages: &[Message<'_>]) -> &'static str {
    for message in messages {
        request.extend_from_slice(message.body);
        request.push(b'\n');
    }
    "application/x-ndjson"
}

/// ClickHouse's codes of a row that a table cannot hold, whatever status comes with them
/// (`src/Common/ErrorCodes.cpp`).
const BAD_ROW: [u32; 21] = [
    6,   // CANNOT_PARSE_TEXT
    25,  // CANNOT_PARSE_ESCAPE_SEQUENCE
    26,  // CANNOT_PARSE_QUOTED_STRING
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    33,  // CANNOT_READ_ALL_DATA
    38,  // CANNOT_PARSE_DATE
    41,  // CANNOT_PARSE_DATETIME
    53,  // TYPE_MISMATCH
    69,  // ARGUMENT_OUT_OF_BOUND
    70,  // CANNOT_CONVERT_TYPE
    72,  // CANNOT_PARSE_NUMBER
    117, // INCORRECT_DATA
    128, // TOO_LARGE_ARRAY_SIZE
    130, // CANNOT_READ_ARRAY_FROM_TEXT
    131, // TOO_LARGE_STRING_SIZE
    349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    376, // CANNOT_PARSE_UUID
    467, // CANNOT_PARSE_BOOL
    469, // VIOLATED_CONSTRAINT
    675, // CANNOT_PARSE_IPV4
    676, // CANNOT_PARSE_IPV6
];

/// Reads ClickHouse's code where there is one, else the status.
pub fn judge(reply: &Reply) -> Verdict {
    if reply.status.is_success() {
        return Verdict::Taken;
    }
    match clickhouse_code(&reply.text()) {
        Some(code) if BAD_ROW.contains(&code) => Verdict::Unclear(reply.quote()),
        // The query, the table, the user, its memory or its disk.
        Some(_) => nothing_taken(reply),
        None => by_status(reply),
    }
}

/// The code in `Code: 131. DB::Exception: …`, with a comma in older versions, which send
/// no `X-ClickHouse-Exception-Code`.
fn clickhouse_code(text: &str) -> Option<u32> {
    let rest = text.strip_prefix("Code: ").filter(|rest| rest.contains("DB::Exception"))?;
    rest.split(['.', ',']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::http::verdict::tests::reply;

    #[test]
    fn the_code_of_clickhouse_counts_more_than_the_status() {
        let judged = |status, code| {
            let old = format!("Code: {code}, e.displayText() = DB::Exception: x (at row 1)");
            let new = format!("Code: {code}. DB::Exception: x: (at row 1)");
            let [old, new] = [old, new].map(|body| judge(&reply(status, &body)));
            assert_eq!(std::mem::discriminant(&old), std::mem::discriminant(&new));
            new
        };
        for (status, code) in [(500, 117), (400, 27), (500, 131), (500, 469)] {
            assert!(matches!(judged(status, code), Verdict::Unclear(_)), "{code}");
        }
        // SYNTAX_ERROR, UNKNOWN_TABLE, MEMORY_LIMIT_EXCEEDED
        for (status, code) in [(400, 62), (404, 60), (500, 241)] {
            assert!(matches!(judged(status, code), Verdict::NothingTaken(_)), "{code}");
        }
        for (body, status) in [("Code: 131", 500), ("", 500), ("Code: x DB::Exception", 503)] {
            let verdict = judge(&reply(status, body));
            assert!(matches!(verdict, Verdict::NothingTaken(_)), "{body}");
        }
    }
}
