//! The log on standard error: a line for each message, whoever chose words of it.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use crate::text::is_unsafe;

/// Escapes what a terminal would act on or not show. The tracing crates have done so with
/// the controls of terminals in messages, and colours are their own.
#[derive(Debug)]
pub struct Log<W>(pub W);

impl<W: Write> Write for Log<W> {
    /// One message, as it is written whole.
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        let line = message.strip_suffix(b"\n").unwrap_or(message);
        let mut shown = String::with_capacity(line.len() + 1);
        for chunk in line.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\n' => shown.push_str("\\n"),
                    '\r' => shown.push_str("\\r"),
                    _ if c.is_ascii() || !is_unsafe(c) => shown.push(c),
                    _ => shown.extend(c.escape_unicode()),
                }
            }
            for byte in chunk.invalid() {
                // Writing to a string cannot fail.
                let _infallible = write!(shown, "\\x{byte:02x}");
            }
        }
        shown.push('\n');
        self.0.write_all(shown.as_bytes())?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_message_is_one_line_that_drives_no_terminal() {
        let kept = Kept::default();
        let to = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || Log(to.clone()))
            .with_ansi(false)
            .finish();
        let hostile = "n\u{9b}31m\u{1b}[2J\u{202e}\u{3164}\nERROR forged\r";
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!("sink x: {hostile}");
            tracing::warn!(name = hostile, "a field");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)), "{text:?}");
        assert!(text.contains(r"\u{202e}\u{3164}\nERROR forged\r"), "{text}");
    }
}
