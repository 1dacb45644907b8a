//! How many labels of a container are kept. They are anybody's words, and the event that says
//! that the container is there has them all. No I/O and no clock.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{event::Container, text::json_length};

/// What a label takes beside its words where it is written: quotes, colon, comma.
const AROUND: usize = r#""":"","#.len();

/// Labels that say whose container this is, or that it is expected, outlast the others.
const FIRST: [&str; 4] = ["com.docker.", "io.kubernetes.", "io.podman.", "hostnet."];

/// What is kept of a container's labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelLimits {
    /// Most labels.
    pub most: usize,
    /// Most bytes of them together, as they are written: a control character takes six.
    pub bytes: usize,
    /// Names that outlast others: those that the configuration asks for.
    pub first: Vec<String>,
}

impl Default for LabelLimits {
    fn default() -> Self {
        Self { most: 32, bytes: 4096, first: Vec::new() }
    }
}

impl LabelLimits {
    /// Takes away what is beyond the limits, and counts it. By name, but for the first
    /// ones.
    pub fn apply(&self, container: &mut Container) {
        let before = container.labels.len();
        let mut labels: Vec<_> = std::mem::take(&mut container.labels).into_iter().collect();
        labels.sort_by_key(|(key, _)| Reverse(self.is_first(key)));
        let mut left = self.bytes;
        let fits = |(key, value): &(String, String)| {
            let rest = left.checked_sub(json_length(key) + json_length(value) + AROUND);
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let kept: BTreeMap<String, String> =
            labels.into_iter().filter(fits).take(self.most).collect();
        container.labels_cut += before - kept.len();
        container.labels = kept;
    }

    fn is_first(&self, key: &str) -> bool {
        self.first.iter().any(|first| first == key) || is_first(key)
    }
}

/// Whether a label says whose container this is.
pub fn is_first(key: &str) -> bool {
    FIRST.iter().any(|own| key.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(limits: &LabelLimits) -> (Vec<String>, usize) {
        let labels = ["a", "b", "com.docker.compose.project", "wanted", "z"];
        let labels = labels.map(|key| (key.to_owned(), "v".repeat(10))).into();
        let mut container = Container { labels, labels_cut: 1, ..Container::default() };
        limits.apply(&mut container);
        (container.labels.into_keys().collect(), container.labels_cut)
    }

    #[test]
    fn what_counts_most_is_kept_and_the_rest_counted() {
        let first = vec!["wanted".to_owned()];
        let all = LabelLimits { first, ..LabelLimits::default() };
        assert_eq!((kept(&all).0.len(), kept(&all).1), (5, 1));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let few = LabelLimits { most: 3, ..all.clone() };
        assert_eq!(kept(&few), (names(&["a", "com.docker.compose.project", "wanted"]), 3));
        // One that does not fit leaves its place to the next.
        let small = LabelLimits { bytes: 40, ..all.clone() };
        assert_eq!(kept(&small), (names(&["a", "wanted"]), 4));
        assert_eq!(kept(&LabelLimits { most: 0, ..all }), (names(&[]), 6));
    }
}
