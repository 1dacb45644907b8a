//! The parts of a document that many events share, written once and kept:
//! host, agent, owner, process.

use std::{
    borrow::Cow,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use hashlink::LruCache;
use serde::Serialize;
use serde_json::{Map, Value, json as object, value::RawValue};
use sha2::{Digest, Sha256};

use super::{
    super::fit::{self, Cut},
    ECS_VERSION, Identity,
    labels::Which,
    orchestrator::{compose, orchestrator},
    process::{Boot, ProcessParts},
    timestamp::Timestamps,
};
use crate::{
    event::{Actor, Container, Event, Operation, Owner, Process},
    text::{
        json::{hex, raw},
        json_cut,
    },
};

/// Most owners or processes kept, some 3 KiB of text each; beyond it, whichever was
/// longest without an event is forgotten.
const MOST: usize = 1 << 12;

/// The shared parts.
pub struct Parts {
    pub ecs: Box<RawValue>,
    pub agent: Box<RawValue>,
    pub host: Box<RawValue>,
    pub boot: Boot,
    /// Most bytes of one part.
    pub most: usize,
    /// Which labels events have; by their kind when not given.
    which: Option<Which>,
    network_namespace: u32,
    owners: LruCache<u64, Kept<Arc<Owner>, OwnerParts>>,
    processes: LruCache<ProcessKey, Kept<Option<Arc<Process>>, ProcessParts>>,
    hasher: RandomState,
}

/// The process' id, and the thread that acted.
type ProcessKey = (u32, Option<Actor>);

/// What is known of a thing, held so that its address stays its own, and how it is
/// written. When more is known, that takes its place.
type Kept<T, P> = (T, Arc<P>);

/// What an owner contributes.
pub struct OwnerParts {
    /// `container`.
    pub container: Option<Box<RawValue>>,
    /// `hostnet.owner`.
    pub owner: Box<RawValue>,
    /// `hostnet.attribution`.
    pub attribution: Box<RawValue>,
    /// `hostnet.creator`, of an owner that only made the socket.
    pub creator: Box<RawValue>,
    /// `hostnet.netns`.
    pub netns: Box<RawValue>,
    /// `orchestrator`, and `hostnet.compose`.
    pub orchestrator: Option<Box<RawValue>>,
    pub compose: Option<Box<RawValue>>,
    /// `hostnet.container`: what the runtime declares and ECS has no field for.
    pub declared: Option<Box<RawValue>>,
    /// The owner with its container where it is the peer, or shares a port.
    pub party: Map<String, Value>,
    pub is_party_cut: bool,
    /// Which fields are not whole.
    pub cut: Cut,
}

impl Parts {
    pub fn new(identity: &Identity, most: usize, which: Option<Which>) -> Self {
        let Identity { host_name, host_id, boot_id, kernel, architecture, os, run, .. } = identity;
        let agent_id = &hex(&Sha256::digest(format!("hostnet {host_id}")))[..16];
        Self {
            ecs: raw(&object!({ "version": ECS_VERSION })),
            agent: raw(&object!({
                "type": "hostnet",
                "version": env!("CARGO_PKG_VERSION"),
                "id": agent_id,
                "ephemeral_id": run,
            })),
            host: raw(&object!({
                "name": host_name,
                "hostname": host_name,
                "id": host_id,
                "boot": { "id": boot_id },
                "architecture": architecture,
                "os": { "type": "linux", "kernel": kernel, "name": os.0, "version": os.1 },
            })),
            boot: Boot { host_id: host_id.clone(), boot_id: boot_id.clone() },
            most,
            which,
            network_namespace: identity.network_namespace,
            owners: LruCache::new(MOST),
            processes: LruCache::new(MOST),
            hasher: RandomState::new(),
        }
    }

    /// The owner's parts.
    pub fn owner(&mut self, owner: &Arc<Owner>) -> Arc<OwnerParts> {
        let moved_to = owner.moved_to.as_ref().map(|cgroup| cgroup.id);
        let key = self.hasher.hash_one((owner.cgroup_id, &owner.container_id, moved_to));
        if let Some((known, parts)) = self.owners.get(&key)
            && Arc::ptr_eq(known, owner)
        {
            return Arc::clone(parts);
        }
        let parts = Arc::new(self.owner_parts(owner));
        self.owners.insert(key, (Arc::clone(owner), Arc::clone(&parts)));
        parts
    }

    /// The process' parts, when anything is known of it.
    pub fn process(&mut self, event: &Event, times: &mut Timestamps) -> Option<Arc<ProcessParts>> {
        if event.process.is_none() && event.actor.is_none() {
            return None;
        }
        // The end of a process is told once; its code is not to be kept.
        if let Operation::Exit(exit) = event.operation {
            let exit_code = exit.status();
            return Some(self.process_parts(event, times, exit_code).into());
        }
        let process = event.process.as_ref();
        let key = (process.map_or(0, |process| process.pid), event.actor);
        if let Some((known, parts)) = self.processes.get(&key)
            && known.as_ref().map(Arc::as_ptr) == process.map(Arc::as_ptr)
        {
            return Some(Arc::clone(parts));
        }
        let parts = Arc::new(self.process_parts(event, times, None));
        self.processes.insert(key, (event.process.clone(), Arc::clone(&parts)));
        Some(parts)
    }

    fn process_parts(
        &self,
        event: &Event,
        times: &mut Timestamps,
        exit_code: Option<u32>,
    ) -> ProcessParts {
        ProcessParts::of(event, (&self.boot, self.most), times, exit_code)
    }

    /// `container` of an event with these labels.
    pub fn container(&self, owner: &Owner, which: Which, cut: &mut Cut) -> Option<Box<RawValue>> {
        let id = owner.container_id.as_ref()?;
        let value = container_value(id, owner, self.which.unwrap_or(which), cut);
        Some(self.bounded(&value, "container", cut))
    }

    /// A part of the document as it is written: what is too long in it is cut.
    pub fn bounded(&self, value: &impl Serialize, name: &str, cut: &mut Cut) -> Box<RawValue> {
        fit::part(value, name, self.most, cut)
    }

    /// A text of the document, which is cut the same way.
    pub fn text<'t>(&self, text: &'t str, name: &str, cut: &mut Cut) -> Cow<'t, str> {
        // No byte of a text takes more than six.
        if text.len() <= self.most / 6 {
            return text.into();
        }
        let short = json_cut(text, self.most);
        if short.len() < text.len() {
            cut.insert(name.to_owned());
        }
        short.into()
    }

    /// In two thirds of a part, because a process and addresses come beside it.
    fn party(&self, owner_value: &Value, owner: &Owner) -> (Map<String, Value>, bool) {
        let mut cut = Cut::new();
        let mut party = owner_value.clone();
        if let Some(id) = &owner.container_id {
            let which = self.which.unwrap_or(Which::Joined);
            party["container"] = container_value(id, owner, which, &mut cut);
        }
        fit::shorten(&mut party, "", self.most / 3 * 2, &mut cut);
        let Value::Object(party) = party else { return (Map::new(), false) };
        (party, !cut.is_empty())
    }

    fn owner_parts(&self, owner: &Owner) -> OwnerParts {
        let container = owner.container.as_deref();
        let mut netns = object!({ "inode": self.network_namespace, "is_host": true });
        if let Some(container) = container.filter(|container| !container.network_mode.is_empty()) {
            netns["declared"] = container.network_mode.clone().into();
        }
        let cgroup = cgroup_value(owner.cgroup_id, &owner.cgroup_path);
        let mut value = object!({ "kind": owner.kind, "cgroup": cgroup });
        if !owner.nested.is_empty() {
            value["nested"] = owner.nested.clone().into();
        }
        if let Some(cgroup) = &owner.moved_to {
            value["moved_to"] = cgroup_value(cgroup.id, &cgroup.path);
        }
        let attribution = object!({ "method": owner.method, "confidence": owner.confidence });
        let mut creator = value.clone();
        creator["attribution"] = attribution.clone();
        let (orchestrator, compose, declared) = (
            container.and_then(orchestrator),
            container.and_then(|container| compose(&container.labels)),
            container.and_then(declared_value),
        );
        let mut cut = Cut::new();
        let container = self.container(owner, Which::Joined, &mut cut);
        let (party, is_party_cut) = self.party(&value, owner);
        let mut bounded = |value: &Value, name: &str| self.bounded(value, name, &mut cut);
        OwnerParts {
            container,
            party,
            is_party_cut,
            owner: bounded(&value, "hostnet.owner"),
            attribution: raw(&attribution),
            creator: bounded(&creator, "hostnet.owner"),
            netns: bounded(&netns, "hostnet.netns"),
            orchestrator: orchestrator.map(|value| bounded(&value, "orchestrator")),
            compose: compose.map(|value| bounded(&value, "hostnet.compose")),
            declared: declared.map(|value| bounded(&value, "hostnet.container")),
            cut,
        }
    }
}

/// A cgroup by its id, and by its path when that is known.
pub fn cgroup_value(id: u64, path: &str) -> Value {
    let mut cgroup = object!({ "id": id });
    if !path.is_empty() {
        cgroup["path"] = path.into();
    }
    cgroup
}

fn container_value(id: &str, owner: &Owner, which: Which, cut: &mut Cut) -> Value {
    let mut value = object!({ "id": id });
    let Some(container) = &owner.container else {
        if let Some(runtime) = owner.runtime {
            value["runtime"] = runtime.into();
        }
        return value;
    };
    value["name"] = container.name.clone().into();
    value["runtime"] = container.runtime.clone().into();
    if container.is_inspected() {
        value["security_context"] = object!({ "privileged": container.privileged });
    }
    let (name, tag) = image_name(&container.image);
    let mut image = object!({ "name": name });
    if let Some(tag) = tag {
        image["tag"] = object!([tag]);
    }
    if !container.image_id.is_empty() {
        image["hash"] = object!({ "all": [container.image_id] });
    }
    value["image"] = image;
    let (labels, is_cut) = which.written(container);
    if is_cut {
        cut.insert("container.labels".to_owned());
    }
    if !labels.is_empty() {
        value["labels"] = Value::Object(labels);
    }
    value
}

/// `None` where there is nothing to say before an inspect.
fn declared_value(container: &Container) -> Option<Value> {
    let mut value = object!({});
    if container.is_inspected() {
        value = object!({
            "network_mode": container.network_mode,
            "user": container.user,
            "capabilities": container.capabilities,
            "restart_policy": container.restart_policy,
            "created": container.created,
        });
    }
    if container.is_infra {
        value["is_infra"] = true.into();
    }
    if container.labels_cut > 0 {
        value["labels_cut"] = container.labels_cut.into();
    }
    value.as_object().is_some_and(|fields| !fields.is_empty()).then_some(value)
}

/// `registry:5000/a/b:1.2@sha256:…` as name and tag. An image without a name is
/// known by its digest, which is then the name.
fn image_name(image: &str) -> (&str, Option<&str>) {
    if image.starts_with("sha256:") {
        return (image, None);
    }
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    }
}

#[cfg(test)]
mod tests {
    use super::image_name;

    #[test]
    fn image_references() {
        assert_eq!(image_name("nginx:1.27"), ("nginx", Some("1.27")));
        assert_eq!(image_name("registry:5000/a/b"), ("registry:5000/a/b", None));
        assert_eq!(image_name("a/b:1@sha256:00"), ("a/b", Some("1")));
        assert_eq!(image_name("sha256:abcd"), ("sha256:abcd", None));
    }
}
