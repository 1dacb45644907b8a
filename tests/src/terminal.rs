//! A program on a terminal, and everything it did to that terminal.

use std::{
    fs::File,
    io::Read as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::patience;

#[derive(Default)]
struct Screen {
    bytes: Mutex<Vec<u8>>,
    changed: Condvar,
}

/// A program that has a pseudo terminal as its output.
pub struct Terminal {
    child: Child,
    screen: Arc<Screen>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    pub fn run(mut command: Command, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a pseudo terminal");
        let name = ptsname(&master, Vec::new()).expect("a pseudo terminal");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name, flags, Mode::empty()).expect("a pseudo terminal");
        let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a pseudo terminal");
        let child = command
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .stdout(slave.try_clone().expect("dup"))
            .stderr(slave)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // The command holds the terminal's other end open until it is gone.
        drop(command);
        let screen = Arc::new(Screen::default());
        let shared = Arc::clone(&screen);
        let reader = thread::spawn(move || {
            let mut master = File::from(master);
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = master.read(&mut buffer) {
                shared.bytes.lock().expect("not poisoned").extend_from_slice(&buffer[..count]);
                shared.changed.notify_all();
            }
        });
        Self { child, screen, reader: Some(reader) }
    }

    /// Waits until the output so far satisfies a condition.
    pub fn expect(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + patience();
        let mut bytes = self.screen.bytes.lock().expect("not poisoned");
        while !condition(&String::from_utf8_lossy(&bytes)) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{what} did not appear; the terminal got:\n{:?}",
                String::from_utf8_lossy(&bytes)
            );
            bytes = self.screen.changed.wait_timeout(bytes, left).expect("not poisoned").0;
        }
    }

    /// Sends a signal, waits for the end, and returns all output.
    pub fn end(mut self, signal: Signal) -> (ExitStatus, Vec<u8>) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program runs");
        let deadline = Instant::now() + patience();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "the program did not end");
            thread::sleep(Duration::from_millis(5));
        };
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        let bytes = self.screen.bytes.lock().expect("not poisoned").clone();
        (status, bytes)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What in a program's output acts on a terminal beyond what a table needs:
/// colours, erasing and moving the cursor are fine, everything else is returned.
pub fn hostile_controls(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\n' | '\r' | '\t' => {}
            '\u{1b}' if rest.next_if_eq(&'[').is_some() => {
                let mut sequence = String::new();
                while let Some(parameter) = rest.next_if(|c| matches!(c, '0'..='9' | ';' | '?')) {
                    sequence.push(parameter);
                }
                let last = rest.next().unwrap_or(' ');
                let harmless = match last {
                    'm' | 'A' | 'B' | 'C' | 'D' | 'G' | 'H' | 'J' | 'K' => !sequence.contains('?'),
                    'h' | 'l' => matches!(&*sequence, "?25" | "?1049" | "?7" | "?2026"),
                    _ => false,
                };
                if !harmless {
                    found.push(format!("ESC [ {sequence} {last}"));
                }
            }
            other if other.is_control() => found.push(format!("{other:?}")),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_hostile_from_harmless() {
        assert!(hostile_controls(b"\x1b[1;31mred\x1b[0m\x1b[2K\r\n").is_empty());
        assert_eq!(hostile_controls(b"\x1b]0;title\x07").len(), 2);
        assert_eq!(hostile_controls(b"\x1b[?1000h"), ["ESC [ ?1000 h"]);
        assert_eq!(hostile_controls("\u{9b}31m".as_bytes()).len(), 1);
        assert_eq!(hostile_controls(b"a\0b"), ["'\\0'"]);
    }
}
