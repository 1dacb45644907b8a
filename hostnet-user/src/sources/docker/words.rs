//! The runtime's words in ours. No I/O and no clock.

use std::{cmp::Reverse, net::IpAddr};

use bollard::models::{ContainerInspectResponse, ContainerSummary, EventMessage, NetworkSettings};
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::labels::is_first;
use crate::event::{Container, UserNames};

pub const TEXT: usize = 256;
/// A registry, a path, a tag and a digest.
const IMAGE: usize = 512;
const ITEMS: usize = 64;
/// Containers of a list.
const MOST_LISTED: usize = 1 << 14;
/// Labels of a container that are looked at.
const LABELS: usize = 128;

/// Actions after which a container looks different.
pub const CHANGES: [&str; 6] = ["create", "start", "rename", "update", "restart", "unpause"];
/// The second is Podman's word.
pub const REMOVALS: [&str; 2] = ["destroy", "remove"];

/// The containers of one runtime.
#[derive(Debug, Default)]
pub struct List {
    pub containers: Vec<Listed>,
    /// There were more than are kept.
    pub is_cut: bool,
    /// How many were none that can be read.
    pub strange: usize,
}

/// A container as the list shows it.
#[derive(Debug)]
pub struct Listed {
    pub id: String,
    pub names: Vec<String>,
    pub state: String,
    /// All that the list said of it, a part of the answer itself.
    text: Bytes,
}

/// What is looked at of every container, every few seconds.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Glance {
    id: Option<String>,
    names: Option<Vec<String>>,
    state: Option<String>,
}

/// What an event means to us.
#[derive(Debug, PartialEq, Eq)]
pub enum Happening {
    /// The container is new or looks different; the event said this much of it.
    Changed(Box<Container>),
    Removed(String),
}

/// A container's addresses in its networks.
fn addresses(settings: Option<NetworkSettings>) -> Vec<IpAddr> {
    let networks = settings.and_then(|settings| settings.networks).unwrap_or_default();
    let texts = networks.into_values().flat_map(|one| [one.ip_address, one.global_ipv6_address]);
    let mut addresses: Vec<IpAddr> =
        texts.flatten().filter_map(|text| text.parse().ok()).take(ITEMS).collect();
    addresses.sort_unstable();
    addresses
}

/// None for events that change nothing we tell.
pub fn happening(event: EventMessage, runtime: &str) -> Option<Happening> {
    let actor = event.actor?;
    let id = actor.id.filter(|id| is_id(id))?;
    let action = event.action.as_deref()?;
    if REMOVALS.contains(&action) {
        return Some(Happening::Removed(id));
    } else if !CHANGES.contains(&action) {
        return None;
    }
    // The labels are among the attributes, and are overruled by them.
    let mut labels = actor.attributes.unwrap_or_default();
    let mut take = |key| labels.remove(key).unwrap_or_default();
    let (name, image) = (take("name"), take("image"));
    let (labels, runtime) = (labels.into_iter().collect(), runtime.to_owned());
    let sketch = Container { id, name, image, labels, runtime, ..Container::default() };
    Some(Happening::Changed(cut_to_size(sketch)))
}

/// The container without its cgroup, and its state.
pub fn inspected(response: ContainerInspectResponse, runtime: &str) -> (Box<Container>, String) {
    let config = response.config.unwrap_or_default();
    let host = response.host_config.unwrap_or_default();
    let state = response.state.unwrap_or_default();
    let restart = host.restart_policy.and_then(|policy| policy.name);
    let dropped = host.cap_drop.into_iter().flatten().map(|capability| format!("-{capability}"));
    let container = Container {
        id: response.id.unwrap_or_default(),
        name: plain(&response.name.unwrap_or_default()),
        image: config.image.unwrap_or_default(),
        image_id: image_id(response.image),
        labels: config.labels.into_iter().flatten().collect(),
        network_mode: host.network_mode.unwrap_or_default(),
        privileged: host.privileged.unwrap_or_default(),
        capabilities: host.cap_add.into_iter().flatten().chain(dropped).collect(),
        user: config.user.unwrap_or_default(),
        restart_policy: restart.map(|name| name.to_string()).unwrap_or_default(),
        created: response.created.unwrap_or_default(),
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default(),
        cgroup_path: String::new(),
        addresses: addresses(response.network_settings),
        mount_namespace: 0,
        users: UserNames::default(),
        labels_cut: 0,
        pod: String::new(),
        is_infra: false,
        runtime: runtime.to_owned(),
    };
    (cut_to_size(container), state.status.map(|status| status.to_string()).unwrap_or_default())
}

/// The containers of a list, of which there may be more than anybody has. Nothing is
/// made of the rest of their words until somebody asks for a sketch: bollard would make
/// an object of every one, 4 KiB for each container, to be compared and thrown away.
pub fn listed(text: &Bytes) -> serde_json::Result<List> {
    let items: Vec<&RawValue> = serde_json::from_slice(text)?;
    let mut list = List { is_cut: items.len() > MOST_LISTED, ..List::default() };
    for item in items.into_iter().take(MOST_LISTED) {
        let Glance { id, names, state } = serde_json::from_str(item.get())?;
        let Some(id) = id.filter(|id| is_id(id)) else {
            list.strange += 1;
            continue;
        };
        let names = names.iter().flatten().take(ITEMS);
        let names = names.map(|name| cut(&plain(name), TEXT).to_owned()).collect();
        let text = text.slice_ref(item.get().as_bytes());
        list.containers.push(Listed { id, names, state: state.unwrap_or_default(), text });
    }
    Ok(list)
}

impl Listed {
    /// The container as far as the list describes it.
    pub fn sketch(&self, runtime: &str) -> Box<Container> {
        // Where a word of it is not what it should be, the others are not worth more.
        let summary: ContainerSummary = serde_json::from_slice(&self.text).unwrap_or_default();
        let host = summary.host_config.unwrap_or_default();
        cut_to_size(Container {
            id: self.id.clone(),
            name: own_name(&self.names),
            image: summary.image.unwrap_or_default(),
            image_id: image_id(summary.image_id),
            labels: summary.labels.into_iter().flatten().collect(),
            network_mode: host.network_mode.unwrap_or_default(),
            runtime: runtime.to_owned(),
            ..Container::default()
        })
    }
}

/// Of a container's names its own: each link of another container (`docker run --link`)
/// adds one more, `OTHER/ALIAS`, and may come first.
fn own_name(names: &[String]) -> String {
    let own = names.iter().find(|name| !name.contains('/'));
    own.or(names.first()).cloned().unwrap_or_default()
}

/// Whether this is a Kubernetes pod's pause container, as cri-dockerd makes it. Labels
/// may come with an image, names do not.
fn is_pause(container: &Container) -> bool {
    let kind = container.labels.get("io.kubernetes.docker.type");
    kind.is_some_and(|kind| kind == "podsandbox") && container.name.starts_with("k8s_POD_")
}

/// The cgroup-v2 path in the text of a /proc/PID/cgroup.
pub fn cgroup_v2(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default()
}

fn plain(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

fn image_id(id: Option<String>) -> String {
    let id = id.unwrap_or_default();
    if is_id(&id) { format!("sha256:{id}") } else { id }
}

/// Whether this is a full container id; nothing else may become part of a request.
pub fn is_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The start of a text, cut between two characters.
pub fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// Names and labels are anybody's words: they may not cost more than they are worth.
fn cut_to_size(container: Container) -> Box<Container> {
    let mut container = Box::new(container);
    let shorten = |text: &mut String, limit| {
        text.truncate(cut(text, limit).len());
        text.shrink_to_fit();
    };
    shorten(&mut container.image, IMAGE);
    let Container { name, image_id, network_mode, user, restart_policy, created, .. } =
        &mut *container;
    for text in [name, image_id, network_mode, user, restart_policy, created] {
        shorten(text, TEXT);
    }
    container.capabilities.truncate(ITEMS);
    container.capabilities.shrink_to_fit();
    container.capabilities.iter_mut().for_each(|text| shorten(text, TEXT));
    let mut labels = std::mem::take(&mut container.labels).into_iter().collect::<Vec<_>>();
    labels.sort_by_key(|(key, _)| Reverse(is_first(key)));
    let is_long = |(key, value): &&(String, String)| key.len() > TEXT || value.len() > TEXT;
    container.labels_cut = labels.len().saturating_sub(LABELS);
    labels.truncate(LABELS);
    container.labels_cut += labels.iter().filter(is_long).count();
    let short =
        |(key, value): (String, String)| (cut(&key, TEXT).to_owned(), cut(&value, TEXT).to_owned());
    container.labels = labels.into_iter().map(short).collect();
    container.is_infra = is_pause(&container);
    container
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const ID: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";

    fn event(action: &str) -> Option<Happening> {
        let text = format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{ID}","Attributes":
               {{"image":"nginx:1.27","name":"web","com.docker.compose.project":"shop"}}}}}}"#
        );
        happening(serde_json::from_str(&text).unwrap(), "docker")
    }

    #[test]
    fn events_say_when_to_look() {
        let sketch = Container {
            id: ID.into(),
            name: "web".into(),
            image: "nginx:1.27".into(),
            labels: BTreeMap::from([("com.docker.compose.project".into(), "shop".into())]),
            runtime: "docker".into(),
            ..Container::default()
        };
        for action in CHANGES {
            assert_eq!(event(action), Some(Happening::Changed(Box::new(sketch.clone()))));
        }
        for action in REMOVALS {
            assert_eq!(event(action), Some(Happening::Removed(ID.into())));
        }
        for action in ["die", "exec_create: sh", "top", "health_status: healthy"] {
            assert_eq!(event(action), None);
        }
    }

    #[test]
    fn a_short_or_strange_id_is_no_container() {
        let text = r#"{"Action":"create","Actor":{"ID":"../../images/x"}}"#;
        assert_eq!(happening(serde_json::from_str(text).unwrap(), "docker"), None);
    }

    #[test]
    fn an_inspect_becomes_a_container_without_its_environment() {
        let text = format!(
            r#"{{"Id":"{ID}","Created":"2026-01-02T03:04:05.6Z","Name":"/web","Image":"sha256:ab",
            "State":{{"Status":"running","Pid":4242}},
            "HostConfig":{{"NetworkMode":"host","Privileged":true,"CapAdd":["NET_ADMIN"],
              "CapDrop":["CHOWN"],"RestartPolicy":{{"Name":"on-failure"}}}},
            "Config":{{"Image":"nginx:1.27","User":"101","Env":["TOKEN=canary"],
              "Labels":{{"a":"b"}}}},
            "NetworkSettings":{{"Networks":{{"bridge":{{"IPAddress":"172.17.0.2",
              "GlobalIPv6Address":""}},"other":{{"IPAddress":"not one"}}}}}}}}"#
        );
        let (container, state) = inspected(serde_json::from_str(&text).unwrap(), "docker");
        let expected = Container {
            id: ID.into(),
            name: "web".into(),
            image: "nginx:1.27".into(),
            image_id: "sha256:ab".into(),
            labels: BTreeMap::from([("a".into(), "b".into())]),
            network_mode: "host".into(),
            privileged: true,
            capabilities: vec!["NET_ADMIN".into(), "-CHOWN".into()],
            user: "101".into(),
            restart_policy: "on-failure".into(),
            created: "2026-01-02T03:04:05.6Z".into(),
            pid: 4242,
            cgroup_path: String::new(),
            addresses: vec![[172, 17, 0, 2].into()],
            mount_namespace: 0,
            users: UserNames::default(),
            labels_cut: 0,
            pod: String::new(),
            is_infra: false,
            runtime: "docker".into(),
        };
        assert_eq!((*container, state.as_str()), (expected, "running"));
        let (bare, _) = inspected(serde_json::from_str("{}").unwrap(), "docker");
        assert_eq!(*bare, Container { runtime: "docker".into(), ..Container::default() });
    }

    #[test]
    fn the_second_hierarchy_is_the_line_that_counts() {
        let text = "12:pids:/docker/x\n1:name=systemd:/docker/x\n0::/docker/y\n";
        assert_eq!(cgroup_v2(text), "/docker/y");
        assert_eq!(cgroup_v2("12:pids:/docker/x\n"), "");
    }

    #[test]
    fn a_list_is_cut_and_what_is_strange_in_it_is_counted() {
        let item = |id: &str| format!(r#"{{"Id":"{id}","Names":["/web"],"State":"running"}}"#);
        let read = |items: &[String]| listed(&format!("[{}]", items.join(",")).into());
        let list = read(&[item("../../info"), item(ID), item(&ID[1..])]).unwrap();
        assert_eq!((list.containers.len(), list.strange, list.is_cut), (1, 2, false));
        let Listed { id, names, state, .. } = &list.containers[0];
        assert_eq!((&**id, names, &**state), (ID, &vec!["web".into()], "running"));
        let list = read(&vec![item(ID); MOST_LISTED + 1]).unwrap();
        assert_eq!((list.containers.len(), list.is_cut), (MOST_LISTED, true));
        assert!(read(&[item(ID), r#"{"Id":7}"#.into()]).is_err());
    }

    #[test]
    fn a_listed_container_is_described_as_far_as_it_can_be_read() {
        let sketch = |rest: &str| {
            let text = format!(r#"[{{"Id":"{ID}","Names":["/web"],"State":"running",{rest}}}]"#);
            let mut list = listed(&text.into()).unwrap();
            list.containers.remove(0).sketch("docker")
        };
        let bare = Container {
            id: ID.into(),
            name: "web".into(),
            runtime: "docker".into(),
            ..Container::default()
        };
        let whole = r#""Image":"nginx:1.27","ImageID":"sha256:ab","Labels":{"a":"b"},
            "HostConfig":{"NetworkMode":"host"},"Ports":[],"Mounts":[]"#;
        let expected = Container {
            image: "nginx:1.27".into(),
            image_id: "sha256:ab".into(),
            labels: BTreeMap::from([("a".into(), "b".into())]),
            network_mode: "host".into(),
            ..bare.clone()
        };
        assert_eq!(*sketch(whole), expected);
        assert_eq!(*sketch(r#""Image":"nginx","Labels":[7]"#), bare);
    }

    #[test]
    fn a_linked_container_is_called_by_its_own_name() {
        let named = |names: &str| {
            let text = format!(r#"[{{"Id":"{ID}","Names":{names},"State":"running"}}]"#);
            listed(&text.into()).unwrap().containers.remove(0).sketch("docker").name
        };
        assert_eq!(named(r#"["/app/database","/db"]"#), "db");
        assert_eq!(named(r#"["/db","/app/database","/web/db"]"#), "db");
        // What is not as Docker has it is better than nothing.
        assert_eq!(named(r#"["/app/database"]"#), "app/database");
        assert_eq!(named("null"), "");
    }

    #[test]
    fn a_pause_container_takes_more_than_labels_of_an_image() {
        let labels = BTreeMap::from([("io.kubernetes.docker.type".into(), "podsandbox".into())]);
        let of = |name: &str| {
            let (name, labels) = (name.to_owned(), labels.clone());
            cut_to_size(Container { name, labels, ..Container::default() }).is_infra
        };
        assert!(of("k8s_POD_web-0_shop_7_0") && !of("web"));
    }

    #[test]
    fn labels_and_names_are_cut_between_characters() {
        let name = "é".repeat(200);
        let mut container = Container { name, ..Container::default() };
        container.labels = (0..200).map(|n| (format!("a{n:03}"), "ü".repeat(200))).collect();
        container.labels.insert("io.kubernetes.pod.name".into(), "web-0".into());
        let container = cut_to_size(container);
        assert_eq!(container.name, "é".repeat(128));
        assert_eq!(container.labels.len(), LABELS);
        // Those that are not there, and those that are shorter here.
        assert_eq!(container.labels_cut, 201 - LABELS + LABELS - 1);
        assert_eq!(container.labels["io.kubernetes.pod.name"], "web-0");
        assert_eq!(container.labels["a000"], "ü".repeat(128));
        assert_eq!(cut("aé", 2), "a");
    }
}
