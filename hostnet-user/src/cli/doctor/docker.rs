//! The container runtime's API: where names come from.

use std::time::Duration;

use super::{Args, Check};
use crate::sources::docker::{Options, probe};

/// The longest any single request may take.
const PATIENCE: Duration = Duration::from_secs(3);

pub fn reachable(args: &Args) -> Check {
    const NAME: &str = "Docker";
    let options =
        Options { endpoint: args.docker.clone(), request_timeout: PATIENCE, ..Options::default() };
    let answer = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the asynchronous runtime: {error}"))
        .and_then(|runtime| {
            let answer = runtime.block_on(probe(&options));
            // A resolver, or the path of a socket, may hold up whoever asks it for ever.
            runtime.shutdown_background();
            answer
        });
    match answer {
        Ok(version) => Check::ok(NAME, version),
        Err(reason) => {
            let advice =
                format!("{}; until then events have container ids but no names", advice(&reason));
            Check::warn(NAME, reason, advice)
        }
    }
}

fn advice(reason: &str) -> &'static str {
    let has = |words| reason.contains(words);
    if has("permission denied") {
        "run it as root, or as a member of the socket's group"
    } else if has("no such socket") || has("connection refused") {
        "start Docker or Podman, or name its socket with --docker or DOCKER_HOST"
    } else if has("unsupported endpoint") {
        "name a unix://, tcp:// or https:// endpoint with --docker or DOCKER_HOST"
    } else if has("no answer") {
        "see why the daemon hangs, or restart it"
    } else {
        "see that --docker or DOCKER_HOST names the API of Docker or Podman"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(endpoint: &str) -> Check {
        reachable(&Args { json: false, docker: Some(endpoint.to_owned()), config: None })
    }

    #[test]
    fn an_absent_socket_and_a_forbidden_one_have_different_remedies() {
        let absent = ask("unix:///nonexistent/docker.sock");
        assert_eq!(absent.finding, "unix:///nonexistent/docker.sock: no such socket");
        assert!(absent.advice.unwrap().starts_with("start Docker"));
        assert!(advice("unix:///run/docker.sock: permission denied").starts_with("run it as root"));
    }

    #[test]
    fn a_wrong_endpoint_is_told_from_a_silent_one() {
        assert!(ask("ftp://x").advice.unwrap().starts_with("name a unix://"));
        assert!(advice("tcp://a:1: no answer within 3s").starts_with("see why the daemon hangs"));
        assert!(advice("tcp://a:1: answers with status 500: x").starts_with("see that --docker"));
    }
}
