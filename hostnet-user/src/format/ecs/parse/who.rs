//! Owners, their containers, and what users are called.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::value::RawValue;

use super::{
    super::{
        labels::dotted,
        who_fields::{
            Attribution, Compose, ContainerFields, Declared, Image, Orchestrator, OwnerFields,
            Resource,
        },
    },
    Document, NotOurs, Parser, part, raw,
};
use crate::event::{
    Confidence, Container, Method, NameSource, Owner, Text, UserNames,
    document::{read, read_bytes, user_id},
};

/// Runtimes that a cgroup's path can name.
const RUNTIMES: [&str; 11] = [
    "libvirt-lxc",
    "docker",
    "podman",
    "containerd",
    "cri-o",
    "lxc",
    "nspawn",
    "buildkit",
    "garden",
    "kubernetes",
    "unknown",
];

impl Parser {
    /// The event's owner.
    pub fn owner(
        &mut self,
        document: &Document<'_>,
        operation: &str,
        netns: Option<&str>,
    ) -> Result<Option<Arc<Owner>>, NotOurs> {
        let hostnet = &document.hostnet;
        let Some(fields) = hostnet.owner else { return Ok(None) };
        let claim = claim(document, NameSource::Container)?;
        let described = self.described.of(document, operation)?;
        let (uid, user) = claim.map_or((String::new(), ""), |(id, name)| (id.to_string(), name));
        let texts = [
            fields.get(),
            raw(document.container),
            raw(document.orchestrator),
            raw(hostnet.attribution),
            raw(hostnet.container),
            raw(hostnet.compose),
            netns.unwrap_or_default(),
            &uid,
            user,
            described,
        ];
        let make = || {
            let container: Option<ContainerFields<'_>> = part("container", document.container)?;
            let attribution = part("hostnet.attribution", hostnet.attribution)?;
            let fields: OwnerFields = read("hostnet.owner", fields)?;
            let mut owner = fields.owner(container.as_ref(), attribution);
            if let Some(container) = owner.container.as_mut().and_then(Arc::get_mut) {
                if !described.is_empty() {
                    let all: ContainerFields<'_> = read_bytes("container", described.as_bytes())?;
                    all.labels().for_each(|(key, value)| {
                        container.labels.entry(key).or_insert(value);
                    });
                }
                declare(container, document, netns)?;
                container.users = claim.map_or_else(UserNames::default, |(id, name)| {
                    UserNames::of(id, name).unwrap_or_default()
                });
            }
            Ok(owner.into())
        };
        self.owners.get(&texts, make).map(Some)
    }

    /// Who made the socket.
    pub fn creator(&mut self, document: &Document<'_>) -> Result<Option<Arc<Owner>>, NotOurs> {
        let Some(fields) = document.hostnet.creator else { return Ok(None) };
        let container = document.hostnet.creator_container;
        let make = || {
            let container = part("hostnet.creator_container", container)?;
            let read: OwnerFields = read("hostnet.creator", fields)?;
            Ok(read.owner(container.as_ref(), None).into())
        };
        self.owners.get(&["creator", fields.get(), raw(container)], make).map(Some)
    }

    /// What the host calls the user of its own process.
    pub fn host_users(
        &mut self,
        document: &Document<'_>,
    ) -> Result<Option<Arc<UserNames>>, NotOurs> {
        let Some((id, name)) = claim(document, NameSource::Host)? else { return Ok(None) };
        let make = || Ok(UserNames::of(id, name).unwrap_or_default().into());
        self.users.get(&[&id.to_string(), name], make).map(Some)
    }
}

/// The user's name, when it is from there.
fn claim<'a>(
    document: &'a Document<'_>,
    source: NameSource,
) -> Result<Option<(u32, &'a str)>, NotOurs> {
    if document.hostnet.user.as_ref().and_then(|user| user.name_source) != Some(source) {
        return Ok(None);
    }
    let Some(name) = document.user.as_ref().and_then(|user| user.name.as_deref()) else {
        return Ok(None);
    };
    let id = document.user.as_ref().and_then(|user| user.id.as_deref());
    let id = user_id(id)?.ok_or_else(|| NotOurs::missing("user.id"))?;
    if UserNames::of(id, name).is_none() {
        return Err(NotOurs::field("user.name", "not the name of a user"));
    }
    Ok(Some((id, name)))
}

impl OwnerFields {
    /// The owner; `attribution` is that beside it, where it has none of its own.
    pub fn owner(
        self,
        container: Option<&ContainerFields<'_>>,
        attribution: Option<Attribution>,
    ) -> Owner {
        let attribution = self.attribution.or(attribution);
        let (cgroup_id, cgroup_path) =
            self.cgroup.map_or((0, String::new()), |cgroup| (cgroup.id, cgroup.path));
        Owner {
            kind: self.kind,
            container_id: container.map(|container| container.id.clone().into_owned()),
            runtime: container.and_then(|container| runtime(container.runtime.as_deref()?)),
            container: container.and_then(ContainerFields::container).map(Arc::new),
            method: attribution.map_or(Method::None, |attribution| attribution.method),
            confidence: attribution.map_or(Confidence::None, |attribution| attribution.confidence),
            cgroup_id,
            cgroup_path,
            nested: self.nested,
            moved_to: self.moved_to,
        }
    }
}

fn owned(text: Option<&Text<'_>>) -> String {
    text.map_or_else(String::new, |text| text.clone().into_owned())
}

fn runtime(name: &str) -> Option<&'static str> {
    RUNTIMES.into_iter().find(|known| *known == name)
}

impl ContainerFields<'_> {
    fn labels(&self) -> impl Iterator<Item = (String, String)> {
        let is_alone = |key: &str| !self.labels.contains_key(&format!("{key}_"));
        self.labels.iter().map(move |(key, value)| {
            let dotted = dotted(key).filter(|_| is_alone(key));
            (dotted.map_or_else(|| own(key), str::to_owned), value.clone())
        })
    }

    /// What the runtime said of it; `None` when it had not said anything.
    fn container(&self) -> Option<Container> {
        let name = self.name.clone()?.into_owned();
        let image = self.image.as_ref();
        let hash = image.and_then(|image| image.hash.as_ref()?.all.first());
        Some(Container {
            id: self.id.clone().into_owned(),
            name,
            image: image.map(Image::reference).unwrap_or_default(),
            image_id: owned(hash),
            labels: self.labels().collect(),
            privileged: self.security_context.as_ref().is_some_and(|context| context.privileged),
            runtime: owned(self.runtime.as_ref()),
            ..Container::default()
        })
    }
}

impl Image<'_> {
    fn reference(&self) -> String {
        match self.tag.first() {
            Some(tag) => format!("{}:{tag}", self.name),
            None => self.name.clone().into_owned(),
        }
    }
}

/// What is declared of the owner's container beside `container`.
fn declare(
    container: &mut Container,
    document: &Document<'_>,
    netns: Option<&str>,
) -> Result<(), NotOurs> {
    let hostnet = &document.hostnet;
    let declared: Declared<'_> = part("hostnet.container", hostnet.container)?.unwrap_or_default();
    container.network_mode = match netns {
        Some(mode) => mode.to_owned(),
        None => owned(declared.network_mode.as_ref()),
    };
    container.user = owned(declared.user.as_ref());
    container.capabilities = declared.capabilities.unwrap_or_default();
    container.restart_policy = owned(declared.restart_policy.as_ref());
    container.created = owned(declared.created.as_ref());
    container.is_infra = declared.is_infra;
    container.labels_cut = declared.labels_cut.unwrap_or_default();
    let compose: Compose<'_> = part("hostnet.compose", hostnet.compose)?.unwrap_or_default();
    let (project, service) = (compose.project.as_deref(), compose.service.as_deref());
    dot(&mut container.labels, "com.docker.compose.project", project);
    dot(&mut container.labels, "com.docker.compose.service", service);
    orchestrate(container, document.orchestrator)
}

fn orchestrate(container: &mut Container, orchestrator: Option<&RawValue>) -> Result<(), NotOurs> {
    let Some(orchestrator) = part::<Orchestrator<'_>>("orchestrator", orchestrator)? else {
        return Ok(());
    };
    let keys = match &*orchestrator.kind {
        "kubernetes" => {
            ["io.kubernetes.pod.namespace", "io.kubernetes.pod.name", "io.kubernetes.pod.uid"]
        }
        "swarm" => [
            "com.docker.stack.namespace",
            "com.docker.swarm.service.name",
            "com.docker.swarm.service.id",
        ],
        "podman" => {
            container.pod = owned(orchestrator.resource.name.as_ref());
            return Ok(());
        }
        _ => return Ok(()),
    };
    let Orchestrator { namespace, resource: Resource { name, id, .. }, .. } = orchestrator;
    for (key, value) in keys.into_iter().zip([namespace, name, id]) {
        dot(&mut container.labels, key, value.as_deref());
    }
    Ok(())
}

/// Gives a label whose value the document tells elsewhere, too, its dots again.
fn dot(labels: &mut BTreeMap<String, String>, key: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    let written = key.replace('.', "_");
    let is_it = |other: &str| other.trim_end_matches('_') == written;
    let found = labels.iter().find(|(other, has)| is_it(other) && *has == value);
    if let Some(found) = found.map(|(other, _)| other.clone()) {
        labels.remove(&found);
        labels.insert(key.to_owned(), value.to_owned());
    }
}

/// Our own labels begin with `hostnet.`, which nobody else's do.
fn own(key: &str) -> String {
    match key.strip_prefix("hostnet_") {
        Some(rest) => format!("hostnet.{rest}"),
        None => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_are_told_twice_have_their_dots_again() {
        let all =
            [("com_docker_compose_project", "other"), ("com_docker_compose_project_", "shop")];
        let mut labels = all.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        dot(&mut labels, "com.docker.compose.project", Some("shop"));
        dot(&mut labels, "com.docker.compose.service", Some("web"));
        let expected =
            [("com.docker.compose.project", "shop"), ("com_docker_compose_project", "other")];
        assert_eq!(labels, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(own("hostnet_expected"), "hostnet.expected");
        assert_eq!(own("hostnet-test"), "hostnet-test");
    }
}
