//! One container, asked for by its id; of Podman's, its pod too.

use std::{sync::Arc, time::Duration};

use bollard::{body_full, errors::Error, models::ContainerInspectResponse};
use hyper::{Request, body::Bytes};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    client::{Runtime, answer, describe},
    locate, words,
};
use crate::event::Container;

/// Where Podman's own API is; the Docker-compatible one does not know pods.
const LIBPOD: &str = "/v4.0.0/libpod";

/// A container is not kept waiting for the name of its pod longer than this.
const POD_PATIENCE: Duration = Duration::from_millis(500);

/// What Podman says of a pod.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pod {
    name: String,
    #[serde(rename = "InfraContainerID", default)]
    infra_container: String,
}

/// The container and its state; `None` when the runtime has none of this id; else why it
/// is not known.
pub type Inspected = Result<Option<(Box<Container>, String)>, String>;

impl Runtime {
    /// Asks for one container.
    pub fn inspect(&self, id: &str) -> impl Future<Output = Inspected> + use<> {
        let (docker, kind, id) = (self.docker.clone(), self.kind, id.to_owned());
        let (at, excess) = (self.at.clone(), Arc::clone(&self.excess));
        async move {
            let response = match docker.inspect_container(&id, None).await {
                Ok(response) if response.id.as_ref() == Some(&id) => response,
                Ok(_) => return Err("the answer is about another container".to_owned()),
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
                Err(error) => return Err(describe(&error)),
            };
            let pod_id = pod(&response).filter(|_| kind == "podman");
            let (mut container, state) = words::inspected(response, kind);
            locate(&mut container);
            if let Some(pod) = pod_id {
                let uri = format!("{LIBPOD}/pods/{pod}/json");
                let asked = async {
                    let request = Request::get(uri).body(body_full(Bytes::new()))?;
                    answer(at.send(request, excess).await?).await
                };
                let text = timeout(POD_PATIENCE, asked).await.ok().and_then(Result::ok);
                let said = text.and_then(|text| serde_json::from_slice::<Pod>(&text).ok());
                container.is_infra = match &said {
                    Some(said) => said.infra_container == id,
                    None => container.name == format!("{}-infra", words::cut(&pod, SHORT)),
                };
                let name =
                    said.map_or_else(|| words::cut(&pod, SHORT).to_owned(), |said| said.name);
                container.pod = words::cut(&name, words::TEXT).to_owned();
            }
            Ok(Some((container, state)))
        }
    }
}

/// Digits of an id that people are shown.
const SHORT: usize = 12;

/// The id of the Podman pod that a container is in. Podman puts a pod's containers below
/// a cgroup of its id, and its Docker-compatible API says nothing else of pods.
fn pod(response: &ContainerInspectResponse) -> Option<String> {
    let parent = response.host_config.as_ref()?.cgroup_parent.as_deref()?;
    let last = parent.rsplit('/').next()?;
    let id = last.strip_suffix(".slice").unwrap_or(last).rsplit('_').next()?;
    (parent.contains("libpod_") && words::is_id(id)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::pod;

    const ID: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";

    #[test]
    fn a_pod_is_known_by_its_cgroup() {
        let of = |parent: &str| {
            let text = format!(r#"{{"HostConfig":{{"CgroupParent":"{parent}"}}}}"#);
            pod(&serde_json::from_str(&text).unwrap())
        };
        for parent in [
            format!("/libpod_parent/{ID}"),
            format!("machine.slice/machine-libpod_pod_{ID}.slice"),
            format!("user.slice/user-libpod_pod_{ID}.slice"),
        ] {
            assert_eq!(of(&parent).as_deref(), Some(ID), "{parent}");
        }
        for parent in ["", "machine.slice", "/libpod_parent", "/libpod_parent/../x", ID] {
            assert_eq!(of(parent), None, "{parent}");
        }
    }
}
