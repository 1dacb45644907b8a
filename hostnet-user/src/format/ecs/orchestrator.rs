//! What a container is a part of, as its labels tell it: a pod, a Swarm service,
//! a Compose project. Labels are anybody's words; the owner is never decided by them.

use std::collections::BTreeMap;

use super::who_fields::{Compose, Orchestrator, Resource};
use crate::event::Container;

type Labels = BTreeMap<String, String>;

/// `orchestrator`, for Kubernetes (the labels of dockershim and cri-dockerd), Swarm and
/// Podman's pods.
pub fn orchestrator(container: &Container) -> Option<Orchestrator<'_>> {
    let of = |key: &str| container.labels.get(key).filter(|value| !value.is_empty());
    let (kind, namespace, resource, name, id) = if let Some(pod) = of("io.kubernetes.pod.name") {
        let namespace = of("io.kubernetes.pod.namespace");
        ("kubernetes", namespace, "pod", pod, of("io.kubernetes.pod.uid"))
    } else if !container.pod.is_empty() {
        ("podman", None, "pod", &container.pod, None)
    } else {
        let service = of("com.docker.swarm.service.name")?;
        let namespace = of("com.docker.stack.namespace");
        ("swarm", namespace, "service", service, of("com.docker.swarm.service.id"))
    };
    let name = Some(name.into());
    Some(Orchestrator {
        namespace: namespace.map(Into::into),
        resource: Resource { id: id.map(Into::into), name, kind: resource },
        kind: kind.into(),
    })
}

/// `hostnet.compose`.
pub fn compose(labels: &Labels) -> Option<Compose<'_>> {
    let of = |key: &str| labels.get(&format!("com.docker.compose.{key}")).map(Into::into);
    let compose = Compose { project: of("project"), service: of("service") };
    (compose != Compose::default()).then_some(compose)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json as object};

    use super::*;

    fn of(labels: Labels) -> Option<Value> {
        let container = Container { labels, ..Container::default() };
        orchestrator(&container).map(|orchestrator| object!(orchestrator))
    }

    fn labels<const N: usize>(all: [(&str, &str); N]) -> Labels {
        all.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn a_pod_a_service_and_neither() {
        let pod = labels([
            ("io.kubernetes.pod.name", "web-0"),
            ("io.kubernetes.pod.namespace", "shop"),
            ("io.kubernetes.pod.uid", "7"),
            ("com.docker.swarm.service.name", "x"),
        ]);
        let resource = object!({ "type": "pod", "name": "web-0", "id": "7" });
        let expected = object!({ "type": "kubernetes", "namespace": "shop", "resource": resource });
        assert_eq!(of(pod), Some(expected));
        let service = labels([("com.docker.swarm.service.name", "shop_web")]);
        let resource = object!({ "type": "service", "name": "shop_web" });
        assert_eq!(of(service), Some(object!({ "type": "swarm", "resource": resource })));
        assert_eq!(of(labels([("io.kubernetes.pod.name", ""), ("a", "b")])), None);
        let podman = Container { pod: "shop".to_owned(), ..Container::default() };
        let resource = object!({ "type": "pod", "name": "shop" });
        assert_eq!(
            orchestrator(&podman).map(|orchestrator| object!(orchestrator)),
            Some(object!({ "type": "podman", "resource": resource }))
        );
    }

    #[test]
    fn a_compose_project() {
        let all = labels([("com.docker.compose.project", "shop"), ("service", "web")]);
        let expected = Compose { project: Some("shop".into()), service: None };
        assert_eq!(compose(&all), Some(expected));
        assert_eq!(compose(&labels([("project", "shop")])), None);
    }
}
