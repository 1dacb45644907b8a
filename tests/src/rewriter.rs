//! Between the agent and a Docker daemon: replaces bytes in what the daemon
//! says, for names that Docker itself would not accept.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    thread,
};

use tempfile::TempDir;

/// A Docker socket that changes one string into another of the same length.
pub struct Rewriter {
    directory: TempDir,
}

impl Rewriter {
    pub fn start(daemon: &str, from: &str, to: &str) -> Self {
        assert_eq!(from.len(), to.len(), "the length of the answer must not change");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(Self::socket(directory.path())).expect("a socket");
        let daemon = PathBuf::from(daemon.strip_prefix("unix://").expect("a unix socket"));
        let (from, to) = (from.as_bytes().to_vec(), to.as_bytes().to_vec());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(&daemon) else { continue };
                let other = (client.try_clone().expect("dup"), server.try_clone().expect("dup"));
                thread::spawn(move || copy(other.0, other.1, &[], &[]));
                let (from, to) = (from.clone(), to.clone());
                thread::spawn(move || copy(server, client, &from, &to));
            }
        });
        Self { directory }
    }

    pub fn host(&self) -> String {
        format!("unix://{}", Self::socket(self.directory.path()).display())
    }

    fn socket(directory: &Path) -> PathBuf {
        directory.join("docker.sock")
    }
}

fn copy(mut source: UnixStream, mut target: UnixStream, from: &[u8], to: &[u8]) {
    let mut held = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = source.read(&mut buffer) {
        held.extend_from_slice(&buffer[..count]);
        replace(&mut held, from, to);
        // What may be the beginning of the string waits for the rest of it.
        let keep =
            (1..from.len()).rev().find(|length| held.ends_with(&from[..*length])).unwrap_or(0);
        let ready = held.len() - keep;
        if target.write_all(&held[..ready]).is_err() {
            break;
        }
        held.drain(..ready);
    }
    let _ = target.write_all(&held);
    let _ = target.shutdown(Shutdown::Write);
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    if from.is_empty() {
        return;
    }
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            at += to.len();
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_across_reads() {
        let (mut near, far) = UnixStream::pair().expect("a pair");
        let (source, mut writer) = UnixStream::pair().expect("a pair");
        let copier = thread::spawn(move || copy(source, far, b"needle", b"NEEDLE"));
        for piece in ["a nee", "dle, nee", "t"] {
            writer.write_all(piece.as_bytes()).expect("open");
        }
        drop(writer);
        let mut text = String::new();
        near.read_to_string(&mut text).expect("open");
        copier.join().expect("no panic");
        assert_eq!(text, "a NEEDLE, neet");
    }
}
