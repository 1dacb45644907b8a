//! Lines of bounded length.

use std::io::{self, BufRead, Read as _};

/// The longest line that is an event of ours; a longer one is none, and is not
/// kept in memory to find that out.
pub const LONGEST_LINE: usize = 1 << 20;

/// The lines of a file or a pipe that are not empty.
pub struct Lines<R> {
    from: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The lines that `from` has.
    pub const fn new(from: R) -> Self {
        Self { from, line: Vec::new(), number: 0 }
    }

    /// The next line with its number, from 1, without its end and the space around it;
    /// one that is too long is cut off after [`LONGEST_LINE`] and one more byte.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            self.number += 1;
            self.line.clear();
            let most = LONGEST_LINE as u64 + 2;
            if self.from.by_ref().take(most).read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            if self.line.last() != Some(&b'\n') && self.line.len() > LONGEST_LINE {
                self.from.skip_until(b'\n')?;
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, self.line.trim_ascii())));
            }
        }
    }
}
