//! What was made of a text, kept by that text.

use std::collections::HashMap;

use super::NotOurs;

/// Most texts kept, and most bytes of them; then all are forgotten and read anew.
const MOST: usize = 8192;
const MOST_BYTES: usize = 16 << 20;

/// Things by the text that they were made of.
pub struct Kept<T> {
    by_text: HashMap<Box<str>, T>,
    bytes: usize,
    key: String,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { by_text: HashMap::new(), bytes: 0, key: String::new() }
    }
}

impl<T: Clone> Kept<T> {
    /// What these texts together stand for; `make` makes it when they are new.
    ///
    /// # Errors
    /// Those of `make`; nothing is kept then.
    pub fn get(
        &mut self,
        texts: &[&str],
        make: impl FnOnce() -> Result<T, NotOurs>,
    ) -> Result<T, NotOurs> {
        self.key.clear();
        for text in texts {
            self.key.push_str(text);
            // JSON has no such byte outside its strings, nor unescaped in them.
            self.key.push('\0');
        }
        if let Some(known) = self.by_text.get(self.key.as_str()) {
            return Ok(known.clone());
        }
        let made = make()?;
        if self.by_text.len() >= MOST || self.bytes >= MOST_BYTES {
            self.by_text.clear();
            self.bytes = 0;
        }
        self.bytes += self.key.len();
        self.by_text.insert(self.key.as_str().into(), made.clone());
        Ok(made)
    }
}
