//! Long sentences in lines of a terminal.

use std::io::{self, Write};

use crate::text::for_terminal;

/// A line is no longer than this, unless a word is.
const WIDTH: usize = 96;

/// Writes text as a paragraph: `lead` before its first line, as many spaces before the
/// others.
pub fn paragraph(lead: &str, text: &str, to: &mut impl Write) -> io::Result<()> {
    let text = for_terminal(text);
    let indent = " ".repeat(lead.chars().count());
    let mut line = lead.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(to, "{line}")?;
            line.clone_from(&indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    writeln!(to, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_no_wider_than_a_terminal() {
        let mut bytes = Vec::new();
        let text = format!("{} {}", "word ".repeat(30).trim_end(), "x".repeat(200));
        paragraph("  because ", &text, &mut bytes).unwrap();
        let shown = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 3, "{shown}");
        assert!(lines[0].starts_with("  because word") && lines[0].len() <= WIDTH);
        assert!(lines[1].starts_with("          word"), "{shown}");
        assert_eq!(lines[2].trim().len(), 200);
    }
}
