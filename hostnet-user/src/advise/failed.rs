//! Connections that came to nothing: a container may have tried, and reached nobody.

use std::{collections::BTreeSet, fmt};

use crate::{
    event::{Event, Operation},
    judge::Reach,
};

/// Most different targets kept.
const MOST: usize = 16;
/// Most targets that are named.
const NAMED: usize = 3;

/// Connections that failed, and where to.
#[derive(Clone, Debug, Default)]
pub struct Failed {
    refused: u64,
    others: u64,
    targets: BTreeSet<String>,
    has_more: bool,
}

impl Failed {
    /// Notes whether the event is a connection that failed.
    pub fn take(&mut self, event: &Event, reach: Option<&Reach<'_>>) {
        let is_connect =
            matches!(event.operation, Operation::Connect(_) | Operation::ConnectOutcome(_));
        let Some(reach) = reach.filter(|_| is_connect) else { return };
        if !reach.contact.has_failed() {
            return;
        }
        let errno = reach.errno;
        if errno.map(i32::from) == Some(libc::ECONNREFUSED) {
            self.refused += 1;
        } else {
            self.others += 1;
        }
        let target = reach.to.to_string();
        if self.targets.len() < MOST {
            self.targets.insert(target);
        } else {
            self.has_more |= !self.targets.contains(&target);
        }
    }

    /// Adds those of another container of the same service.
    pub fn absorb(&mut self, other: Self) {
        self.refused += other.refused;
        self.others += other.others;
        self.targets.extend(other.targets);
        self.has_more |= other.has_more;
    }

    /// Whether none did.
    pub const fn is_none(&self) -> bool {
        self.refused + self.others == 0
    }
}

/// `all 20 of its connections were refused (127.0.0.1:9)`
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.refused + self.others;
        let all = if count == 1 {
            "its only connection".to_owned()
        } else {
            format!("all {count} of its connections")
        };
        let was = if count == 1 { "was" } else { "were" };
        match (self.refused, self.others) {
            (_, 0) => write!(f, "{all} {was} refused")?,
            (0, _) => write!(f, "{all} failed")?,
            (refused, _) => write!(f, "{all} failed, {refused} of them refused")?,
        }
        let named: Vec<&str> = self.targets.iter().take(NAMED).map(String::as_str).collect();
        let more = if self.has_more || self.targets.len() > NAMED { ", …" } else { "" };
        write!(f, " ({}{more})", named.join(", "))
    }
}
