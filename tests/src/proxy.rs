//! A proxy before Docker's socket that lets through what hostnet may ask for and
//! nothing else, as a careful operator has one.

use std::{
    io::{self, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{Arc, Mutex},
    thread,
};

use crate::api::Api;

/// The proxy; it ends with the test.
pub struct Proxy {
    api: Api,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Before the daemon at `host`. What is allowed must also be `wanted`.
    pub fn start(host: &str, wanted: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        let daemon = host.strip_prefix("unix://").expect("a unix socket").to_owned();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&refused);
        let api = Api::start(move |path, mut stream| {
            if !is_allowed(path) || !wanted(path) {
                all.lock().expect("not poisoned").push(path.to_owned());
                return stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            }
            let mut daemon = UnixStream::connect(&daemon)?;
            daemon
                .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
            let (mut client, end) = (stream.try_clone()?, daemon.try_clone()?);
            // When the client hangs up, the daemon is told.
            thread::spawn(move || {
                let _ = io::copy(&mut client, &mut io::sink());
                let _ = end.shutdown(Shutdown::Both);
            });
            io::copy(&mut daemon, &mut stream).map(|_| ())
        });
        Self { api, refused }
    }

    /// Its address, as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        self.api.host()
    }

    /// Method and path of every request so far.
    pub fn asked(&self) -> Vec<String> {
        self.api.asked()
    }

    /// Those that were refused.
    pub fn refused(&self) -> Vec<String> {
        self.refused.lock().expect("not poisoned").clone()
    }
}

/// The whole of what hostnet may ask for, after the version of the API.
fn is_allowed(path: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let between = |before, after| path.strip_prefix(before)?.strip_suffix(after);
    let is_id = |id: &str| {
        id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    ["/_ping", "/version", "/info", "/events", "/containers/json"].contains(&path)
        || between("/containers/", "/json").is_some_and(is_id)
        || between("/images/", "/json").is_some_and(|name: &str| !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn what_is_not_on_the_list_is_refused() {
        let id = "0a".repeat(32);
        assert!(is_allowed("/events?since=1") && is_allowed(&format!("/containers/{id}/json")));
        for path in [
            format!("/containers/{id}/archive"),
            format!("/containers/{id}/export"),
            format!("/containers/{}/json", &id[..12]),
            format!("/containers/{id}/../{id}/json"),
            "/containers/json/".to_owned(),
            "/images/a/get".to_owned(),
            "//version".to_owned(),
            "/%2e%2e/version".to_owned(),
            "http://localhost/version".to_owned(),
        ] {
            assert!(!is_allowed(&path), "{path}");
        }
    }
}
