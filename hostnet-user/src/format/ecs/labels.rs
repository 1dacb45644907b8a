//! A container's labels in its events. They are anybody's words, so all of them are in the
//! events that say that the container is there, once; other events have those by which
//! consumers join them to what else they know.

use std::collections::BTreeMap;

use crate::{
    event::{Container, Operation},
    text::json_length,
};

/// Labels in every event of a container, whoever started it.
const JOINED: [&str; 11] = [
    "com.docker.compose.container-number",
    "com.docker.compose.oneoff",
    "com.docker.compose.project",
    "com.docker.compose.service",
    "com.docker.stack.namespace",
    "com.docker.swarm.service.id",
    "com.docker.swarm.service.name",
    "io.kubernetes.container.name",
    "io.kubernetes.pod.name",
    "io.kubernetes.pod.namespace",
    "io.kubernetes.pod.uid",
];

/// The label of every event that is written so, with its dots.
pub fn dotted(written: &str) -> Option<&'static str> {
    JOINED.into_iter().find(|key| key.replace('.', "_") == written)
}

/// Those of hostnet itself, too.
const OWN: &str = "hostnet.";

/// Most bytes of them, as they are written.
const MOST_BYTES: usize = 2048;

/// Which of a container's labels are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    Joined,
}

impl Which {
    /// Those in an event of this kind.
    pub const fn of(operation: &Operation) -> Self {
        if operation.describes_container() { Self::All } else { Self::Joined }
    }

    /// The labels, and whether one is missing that should be among them.
    pub fn written(self, container: &Container) -> (BTreeMap<String, String>, bool) {
        match self {
            Self::All => (written(container.labels.iter()), false),
            Self::Joined => {
                let mut left = MOST_BYTES;
                let mut is_cut = false;
                let kept: Vec<_> = joined(&container.labels)
                    .filter(|(key, value)| {
                        let length = json_length(key) + json_length(value) + r#""":"","#.len();
                        let rest = left.checked_sub(length);
                        is_cut |= rest.is_none();
                        left = rest.unwrap_or(left);
                        rest.is_some()
                    })
                    .collect();
                (written(kept.into_iter()), is_cut)
            }
        }
    }
}

fn joined(labels: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    let own = labels.iter().filter(|(key, _)| key.starts_with(OWN));
    JOINED.iter().filter_map(|key| labels.get_key_value(*key)).chain(own)
}

/// A dot in a key would make a nested object of it. A key that thereby becomes
/// another's gets further underscores, so that none is lost.
fn written<'a>(labels: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<String, String> {
    let mut written = BTreeMap::new();
    let (dotted, plain): (Vec<_>, Vec<_>) = labels.partition(|(key, _)| key.contains('.'));
    for (key, value) in plain.into_iter().chain(dotted) {
        let mut key = key.replace('.', "_");
        while written.contains_key(&key) {
            key.push('_');
        }
        written.insert(key, value.clone());
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(labels: &[(&str, &str)]) -> Container {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        Container { labels: labels.collect(), ..Container::default() }
    }

    #[test]
    fn labels_that_differ_by_a_dot_are_both_kept() {
        let all = container(&[("a.b", "dot"), ("a_b", "line"), ("a_b_", "two")]);
        let (written, is_cut) = Which::All.written(&all);
        assert_eq!((&written["a_b"], &written["a_b_"]), (&"line".into(), &"two".into()));
        assert_eq!((&written["a_b__"], is_cut), (&"dot".into(), false));
    }

    #[test]
    fn other_events_have_the_labels_that_consumers_join_on() {
        let all = [
            ("com.docker.compose.config-hash", "ab"),
            ("com.docker.compose.project", "shop"),
            ("hostnet.owner", "ops"),
            ("io.kubernetes.pod.name", "web-0"),
            ("maintainer", "somebody"),
        ];
        let (written, is_cut) = Which::Joined.written(&container(&all));
        let keys: Vec<&String> = written.keys().collect();
        assert_eq!(keys, ["com_docker_compose_project", "hostnet_owner", "io_kubernetes_pod_name"]);
        assert!(!is_cut);
        // A control character takes six bytes: the budget is of what is written.
        let long = "\u{1}".repeat(256);
        let hostile: Vec<(String, String)> =
            (0..64).map(|index| (format!("hostnet.{index}"), long.clone())).collect();
        let hostile: Vec<(&str, &str)> =
            hostile.iter().map(|(key, value)| (&**key, &**value)).collect();
        let (written, is_cut) = Which::Joined.written(&container(&hostile));
        assert_eq!((written.len(), is_cut), (1, true));
    }
}
