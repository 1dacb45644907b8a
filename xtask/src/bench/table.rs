//! A table of a part: what its figures are made from.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// The first row has the columns' names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub heading: String,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(heading: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { heading: heading.to_owned(), rows: vec![columns] }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("{}:\n\n", self.heading);
        for (at, row) in self.rows.iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if at == 0 {
                let right = vec!["--:"; row.len().saturating_sub(1)];
                let _ = writeln!(text, "|---|{}|", right.join("|"));
            }
        }
        text
    }
}

/// A number with its thousands apart, `1 300 104`, or with decimals.
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let mut grouped = String::from(if value < 0.0 && !is_zero { "-" } else { "" });
    for (at, digit) in whole.char_indices() {
        // Four digits stay together.
        if at > 0 && (whole.len() - at).is_multiple_of(3) && whole.len() > 4 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart_and_zero_has_no_sign() {
        let numbers = [
            (0.0, 0, "0"),
            (-0.004, 2, "0.00"),
            (-3.5, 1, "-3.5"),
            (4140.2, 0, "4140"),
            (27_249.0, 0, "27 249"),
            (1_300_104.0, 0, "1 300 104"),
            (12_345.678, 1, "12 345.7"),
        ];
        for (value, decimals, text) in numbers {
            assert_eq!(number(value, decimals), text);
        }
    }
}
