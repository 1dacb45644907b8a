//! Which runtime answers, or why none does.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::SystemVersion;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker, body_full};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, Uri};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::bounded::{Excess, TooMuch};
use super::transport::Endpoint;
use super::words::cut;
use crate::text;

const NO_SOCKET: &str = "no such socket";
const NOT_A_RUNTIME: &str = "answers, but not as a container runtime does";
const BROKEN_OFF: &str = "answer broken off";

/// A runtime that answered.
pub struct Runtime {
    pub docker: Docker,
    pub endpoint: String,
    /// `docker` or `podman`.
    pub kind: &'static str,
    pub version: String,
    /// Why an event stream was cut.
    pub excess: Arc<Excess>,
    pub(super) at: Endpoint,
    /// What goes before the path of a request.
    prefix: String,
}

impl Runtime {
    /// The list of all containers, as it is answered: bollard would read it whole.
    pub fn list(&self) -> impl Future<Output = Result<Bytes, Error>> + use<> {
        // Stopped containers too, or stopping would look like being removed.
        let uri = format!("{}/containers/json?all=true", self.prefix);
        let (at, excess) = (self.at.clone(), Arc::clone(&self.excess));
        async move {
            let request = Request::get(uri).body(body_full(Bytes::new()))?;
            answer(at.send(request, excess).await?).await
        }
    }
}

/// What was answered, when it is what was asked for.
pub async fn answer(response: Response<Incoming>) -> Result<Bytes, Error> {
    let (status, mut body) = (response.status(), response.into_body());
    // Each piece is let go of at once: it may hold a buffer far larger than itself.
    let mut answer = Vec::new();
    while let Some(frame) = body.frame().await {
        answer.extend_from_slice(frame?.data_ref().map_or(&[], AsRef::as_ref));
    }
    if status.is_success() {
        return Ok(answer.into());
    }
    let message = text::text(&answer).readable;
    Err(Error::DockerResponseServerError { status_code: status.as_u16(), message })
}

/// Where to look, in order, as the command-line clients of both runtimes do.
pub fn endpoints(overriding: Option<&str>, env: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let set = |name| env(name).filter(|value| !value.is_empty());
    let chosen = overriding.map(str::to_owned);
    match chosen.or_else(|| set("DOCKER_HOST")).or_else(|| set("CONTAINER_HOST")) {
        Some(path) if path.starts_with('/') => vec![format!("unix://{path}")],
        Some(endpoint) => vec![endpoint],
        None => ["/var/run/docker.sock", "/run/podman/podman.sock"]
            .map(|path| format!("unix://{path}"))
            .into(),
    }
}

/// The first endpoint that answers, or which one does not and why: the first of
/// them, unless only a later one is there.
pub async fn connect(endpoints: &[String], limit: Duration) -> Result<Runtime, (String, String)> {
    let mut refusals = Vec::new();
    for endpoint in endpoints {
        match reach(endpoint, limit).await {
            Ok(runtime) => return Ok(runtime),
            Err(reason) => refusals.push((endpoint.clone(), reason)),
        }
    }
    let telling = refusals.iter().position(|(_, reason)| reason != NO_SOCKET);
    Err(refusals.swap_remove(telling.unwrap_or(0)))
}

async fn reach(endpoint: &str, limit: Duration) -> Result<Runtime, String> {
    let excess = Arc::default();
    let text = endpoint.to_owned();
    // Its certificates are files, which may be anywhere.
    let at = spawn_blocking(move || Endpoint::read(&text, |name| std::env::var(name).ok()));
    let at = timeout(limit, at).await.map_err(|_| late(limit))?;
    let at = at.map_err(|failed| failed.to_string())?;
    let at = at.map_err(|error| describe(&error.into()))?;
    let docker = client(at.clone(), limit, &excess).map_err(|error| describe(&error))?;
    let docker = bounded(limit, docker.negotiate_version()).await?;
    let (kind, version) = identify(&bounded(limit, docker.version()).await?);
    // The client negotiates a version and then asks without one. A later daemon
    // would answer in a form that it cannot read.
    let prefix = format!("/v{}", docker.client_version());
    let before = prefix.clone();
    let docker = docker.with_request_modifier(move |mut request| {
        if let Some(uri) = prefixed(&before, request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    });
    Ok(Runtime { docker, endpoint: endpoint.to_owned(), kind, version, excess, at, prefix })
}

fn prefixed(prefix: &str, uri: &Uri) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{prefix}{}", parts.path_and_query?).parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn identify(version: &SystemVersion) -> (&'static str, String) {
    let podman = version.components.iter().flatten().find(|c| c.name.contains("Podman"));
    let (kind, name) = if podman.is_some() { ("podman", "Podman") } else { ("docker", "Docker") };
    let number = podman.map(|engine| &engine.version).or(version.version.as_ref());
    let number = number.map_or("?", |number| cut(number, 64));
    let api = version.api_version.as_ref().map_or("?", |api| cut(api, 16));
    (kind, format!("{name} {}, API {}", number.escape_debug(), api.escape_debug()))
}

fn client(endpoint: Endpoint, limit: Duration, excess: &Arc<Excess>) -> Result<Docker, Error> {
    // The client counts in whole seconds; `bounded` keeps the exact limit.
    let seconds = limit.as_secs() + 1;
    let excess = Arc::clone(excess);
    // The client's own transports take an answer of any size, and keep only a
    // text of the system's error.
    let transport =
        move |request: BollardRequest| endpoint.clone().send(request, Arc::clone(&excess));
    let origin = Some("http://localhost");
    Docker::connect_with_custom_transport(transport, origin, seconds, API_DEFAULT_VERSION)
}

async fn bounded<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, String> {
    match timeout(limit, request).await {
        Ok(answer) => answer.map_err(|error| describe(&error)),
        Err(_) => Err(late(limit)),
    }
}

/// Whether the reason of a refusal is that nothing is there.
pub fn is_absent(reason: &str) -> bool {
    reason == NO_SOCKET
}

/// Whether the reason is that the runtime would not answer, and not an answer that
/// cannot be read.
pub fn is_refusal(reason: &str) -> bool {
    !reason.starts_with(NOT_A_RUNTIME)
}

pub fn late(limit: Duration) -> String {
    format!("no answer within {limit:?}")
}

/// Whether the runtime answered, if not with what we asked for.
pub fn is_answer(error: &Error) -> bool {
    use Error::{DockerResponseServerError, JsonDataError, JsonSerdeError};
    matches!(error, DockerResponseServerError { .. } | JsonDataError { .. } | JsonSerdeError { .. })
        || too_much(error).is_some()
}

/// Why a request failed. An answer that could not be read is not quoted: it may
/// hold a container's environment.
pub fn describe(error: &Error) -> String {
    if let Some(too_much) = too_much(error) {
        return format!("{NOT_A_RUNTIME}: {too_much}");
    }
    match error {
        Error::IOError { err } => match err.kind() {
            ErrorKind::NotFound => NO_SOCKET.into(),
            ErrorKind::PermissionDenied => "permission denied".into(),
            ErrorKind::ConnectionRefused => "connection refused: nobody listens there".into(),
            _ => err.to_string(),
        },
        Error::RequestTimeoutError => "no answer in time".into(),
        Error::DockerResponseServerError { status_code, message } => {
            let refusal = refusal(message);
            match too_old(&refusal) {
                Some((ours, least)) => {
                    format!("client API {ours} is older than the daemon's minimum {least}")
                }
                None => {
                    let message = cut(refusal.trim(), 256).escape_debug();
                    format!("answers with status {status_code}: {message}")
                }
            }
        }
        Error::APIVersionParseError {} => format!("{NOT_A_RUNTIME}: no version of its API"),
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => {
            format!("{NOT_A_RUNTIME}: unexpected JSON")
        }
        Error::HyperResponseError { err } if err.is_parse() => {
            format!("{NOT_A_RUNTIME}: no HTTP")
        }
        Error::HyperResponseError { err } if err.is_incomplete_message() => BROKEN_OFF.into(),
        _ if io_causes(error).any(|io| io.kind() == ErrorKind::UnexpectedEof) => BROKEN_OFF.into(),
        _ => {
            let causes = causes(error).map(|cause| cause.to_string());
            causes.collect::<Vec<_>>().join(": ")
        }
    }
}

/// The text of a refusal, which Docker and Podman send as JSON.
fn refusal(body: &str) -> Cow<'_, str> {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    serde_json::from_str(body).map_or(Cow::Borrowed(body), |Refusal { message }| message.into())
}

/// The versions in Docker's `client version 1.41 is too old. Minimum supported API version
/// is 1.44, please upgrade your client to a newer version`.
fn too_old(message: &str) -> Option<(&str, &str)> {
    let (ours, rest) = message.strip_prefix("client version ")?.split_once(" is too old")?;
    let (_, rest) = rest.split_once("API version is ")?;
    let least = rest.split(',').next()?;
    let is_version = |text: &str| {
        (1..=16).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    (is_version(ours) && is_version(least)).then_some((ours, least))
}

type Cause<'a> = &'a (dyn StdError + 'static);

fn causes(error: &Error) -> impl Iterator<Item = Cause<'_>> {
    let mut next: Option<Cause<'_>> = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

fn io_causes(error: &Error) -> impl Iterator<Item = &io::Error> {
    causes(error).filter_map(|cause| cause.downcast_ref())
}

/// Whether the answer was cut, and by how much it may have.
fn too_much(error: &Error) -> Option<&TooMuch> {
    io_causes(error).find_map(|io| io.get_ref()?.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_chosen_as_the_command_line_clients_do() {
        let env = |set: &'static [(&str, &str)]| {
            move |name: &str| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            }
        };
        let both: &[_] = &[("DOCKER_HOST", "tcp://a:1"), ("CONTAINER_HOST", "unix:///b")];
        assert_eq!(endpoints(Some("/x.sock"), env(both)), ["unix:///x.sock"]);
        assert_eq!(endpoints(None, env(both)), ["tcp://a:1"]);
        let podman: &[_] = &[("DOCKER_HOST", ""), ("CONTAINER_HOST", "unix:///b")];
        assert_eq!(endpoints(None, env(podman)), ["unix:///b"]);
        let usual = ["unix:///var/run/docker.sock", "unix:///run/podman/podman.sock"];
        assert_eq!(endpoints(None, env(&[])), usual);
    }

    #[test]
    fn podman_is_told_from_docker_by_its_engine() {
        let read = |text| identify(&serde_json::from_str(text).unwrap());
        let docker = r#"{"Components":[{"Name":"Engine","Version":"20.10.24"}],
            "Version":"20.10.24","ApiVersion":"1.41"}"#;
        assert_eq!(read(docker), ("docker", "Docker 20.10.24, API 1.41".into()));
        let podman = r#"{"Components":[{"Name":"Podman Engine","Version":"4.9.3"}],
            "Version":"4.9.3","ApiVersion":"1.41"}"#;
        assert_eq!(read(podman), ("podman", "Podman 4.9.3, API 1.41".into()));
    }

    #[test]
    fn the_negotiated_version_goes_before_the_path() {
        let uri = Uri::from_static("http://localhost/events?since=1");
        let versioned = prefixed("/v1.41", &uri).unwrap();
        assert_eq!(versioned, "http://localhost/v1.41/events?since=1");
    }
}
