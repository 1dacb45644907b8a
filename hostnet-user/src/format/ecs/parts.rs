//! The parts of a document that many events share, written once and kept:
//! host, agent, owner, process.

use std::{
    borrow::Cow,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use hashlink::LruCache;
use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};
use sha2::{Digest, Sha256};

use super::{
    super::fit::{self, Cut},
    ECS_VERSION, Identity,
    labels::Which,
    orchestrator::{compose, orchestrator},
    process::{Boot, ProcessParts},
    who_fields::{
        Attribution, ContainerFields, Declared, Hash, Image, Netns, OwnerFields, SecurityContext,
    },
};
use crate::{
    event::{Actor, Cgroup, Container, Event, Operation, Owner, Process, Timestamps},
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
            ecs: raw(&json!({ "version": ECS_VERSION })),
            agent: raw(&json!({
                "type": "hostnet",
                "version": env!("CARGO_PKG_VERSION"),
                "id": agent_id,
                "ephemeral_id": run,
            })),
            host: raw(&json!({
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
        let fields = container_fields(id, owner, self.which.unwrap_or(which), cut);
        Some(self.bounded(&fields, "container", cut))
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
    fn party(&self, fields: &OwnerFields, owner: &Owner) -> (Map<String, Value>, bool) {
        let mut cut = Cut::new();
        let mut party = json!(fields);
        if let Some(id) = &owner.container_id {
            let which = self.which.unwrap_or(Which::Joined);
            party["container"] = json!(container_fields(id, owner, which, &mut cut));
        }
        fit::shorten(&mut party, "", self.most / 3 * 2, &mut cut);
        let Value::Object(party) = party else { return (Map::new(), false) };
        (party, !cut.is_empty())
    }

    fn owner_parts(&self, owner: &Owner) -> OwnerParts {
        let container = owner.container.as_deref();
        let declared = container.map(|container| container.network_mode.as_str());
        let netns = Netns {
            declared: declared.filter(|mode| !mode.is_empty()).map(Into::into),
            inode: Some(self.network_namespace),
            is_host: true,
        };
        let fields = OwnerFields {
            attribution: None,
            cgroup: Some(Cgroup { id: owner.cgroup_id, path: owner.cgroup_path.clone() }),
            kind: owner.kind,
            moved_to: owner.moved_to.clone(),
            nested: owner.nested.clone(),
        };
        let attribution = Attribution { confidence: owner.confidence, method: owner.method };
        let creator = OwnerFields { attribution: Some(attribution), ..fields.clone() };
        let (orchestrator, compose, declared) = (
            container.and_then(orchestrator),
            container.and_then(|container| compose(&container.labels)),
            container.and_then(declared_fields),
        );
        let mut cut = Cut::new();
        let container = self.container(owner, Which::Joined, &mut cut);
        let (party, is_party_cut) = self.party(&fields, owner);
        OwnerParts {
            container,
            party,
            is_party_cut,
            owner: self.bounded(&fields, "hostnet.owner", &mut cut),
            attribution: raw(&attribution),
            creator: self.bounded(&creator, "hostnet.owner", &mut cut),
            netns: self.bounded(&netns, "hostnet.netns", &mut cut),
            orchestrator: orchestrator.map(|value| self.bounded(&value, "orchestrator", &mut cut)),
            compose: compose.map(|value| self.bounded(&value, "hostnet.compose", &mut cut)),
            declared: declared.map(|value| self.bounded(&value, "hostnet.container", &mut cut)),
            cut,
        }
    }
}

/// `container`, with these labels.
fn container_fields<'a>(
    id: &'a str,
    owner: &'a Owner,
    which: Which,
    cut: &mut Cut,
) -> ContainerFields<'a> {
    let Some(container) = &owner.container else {
        let runtime = owner.runtime.map(Into::into);
        return ContainerFields { id: id.into(), runtime, ..ContainerFields::default() };
    };
    let (name, tag) = image_name(&container.image);
    let hash = (!container.image_id.is_empty())
        .then(|| Hash { all: vec![container.image_id.as_str().into()] });
    let (labels, is_cut) = which.written(container);
    if is_cut {
        cut.insert("container.labels".to_owned());
    }
    let tag = tag.into_iter().map(Into::into).collect();
    ContainerFields {
        id: id.into(),
        image: Some(Image { hash, name: name.into(), tag }),
        labels,
        name: Some(container.name.as_str().into()),
        runtime: Some(container.runtime.as_str().into()),
        security_context: container
            .is_inspected()
            .then_some(SecurityContext { privileged: container.privileged }),
    }
}

/// `hostnet.container`; `None` where there is nothing to say before an inspect.
fn declared_fields(container: &Container) -> Option<Declared<'_>> {
    let mut declared = Declared {
        is_infra: container.is_infra,
        labels_cut: (container.labels_cut > 0).then_some(container.labels_cut),
        ..Declared::default()
    };
    if container.is_inspected() {
        declared.capabilities = Some(container.capabilities.clone());
        declared.created = Some(container.created.as_str().into());
        declared.network_mode = Some(container.network_mode.as_str().into());
        declared.restart_policy = Some(container.restart_policy.as_str().into());
        declared.user = Some(container.user.as_str().into());
    }
    let says = container.is_inspected() || declared.is_infra || declared.labels_cut.is_some();
    says.then_some(declared)
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
