//! What is wrong with a rule, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::for_terminal;

/// A rule, or a file of rules, that is not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFault {
    /// The file.
    pub file: String,
    /// Counted from 1; of a file that cannot be read there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Why, and what to do.
    pub reason: String,
}

/// `FILE:LINE: REASON`, as compilers write it.
impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&for_terminal(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", for_terminal(&self.reason))
    }
}
