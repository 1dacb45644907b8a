//! The actor's own account of what it did: one JSON line per operation, with
//! its place in the actor's order, and when and in which cgroup it was done.

use std::{
    io::{self, Write as _},
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Map, Value, json};
use socket2::Socket;

use crate::{place, sockets};

/// One operation, being described.
pub struct Truth(Map<String, Value>);

/// Begins the account of operation `name`.
pub fn tell(name: &str) -> Truth {
    static SEQUENCE: AtomicU64 = AtomicU64::new(0);
    let mut fields = Map::new();
    fields.insert("op".into(), json!(name));
    fields.insert("seq".into(), json!(SEQUENCE.fetch_add(1, Ordering::Relaxed)));
    fields.insert("pid".into(), json!(std::process::id()));
    fields.insert("boot_ns".into(), json!(place::boot_ns()));
    let words: Option<Vec<String>> =
        std::env::args_os().map(|word| word.into_string().ok()).collect();
    if let Some(words) = words {
        fields.insert("args".into(), json!(words));
    }
    if let Some(cgroup) = place::cgroup_id() {
        fields.insert("cgroup".into(), json!(cgroup));
    }
    Truth(fields)
}

/// Tells a connect and its outcome.
pub fn tell_connect<T>(client: &Socket, remote: SocketAddr, result: &io::Result<T>) {
    let truth = tell("connect").socket(client).endpoint("local", sockets::local(client));
    truth.endpoint("remote", Some(remote)).result(result).send();
}

/// Tells an accepted connection.
pub fn tell_accept(server: &Socket, remote: Option<SocketAddr>) {
    let truth = tell("accept").socket(server).endpoint("local", sockets::local(server));
    truth.endpoint("remote", remote).with("result", "ok").send();
}

impl Truth {
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// The kernel's id of the socket, by which events are found.
    pub fn socket(self, socket: &impl AsRawFd) -> Self {
        match sockets::cookie(socket) {
            Some(cookie) => self.with("cookie", cookie),
            None => self,
        }
    }

    /// The address as hostnet has to show it: a v4-mapped one is IPv4.
    pub fn endpoint(self, key: &str, address: Option<SocketAddr>) -> Self {
        let Some(address) = address else { return self };
        let ip = match address.ip() {
            IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
            ip => ip,
        };
        self.with(key, json!({"ip": ip.to_string(), "port": address.port()}))
    }

    pub fn result<T>(self, result: &io::Result<T>) -> Self {
        match result {
            Ok(_) => self.with("result", "ok"),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                self.with("result", errno_name(errno)).with("errno", errno)
            }
        }
    }

    pub fn send(self) {
        let mut line = Value::Object(self.0).to_string();
        line.push('\n');
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("stdout is writable");
    }
}

/// What a subcommand returns: its truth is written.
pub struct Done;

fn errno_name(errno: i32) -> &'static str {
    match errno {
        libc::EACCES => "EACCES",
        libc::EADDRINUSE => "EADDRINUSE",
        libc::EADDRNOTAVAIL => "EADDRNOTAVAIL",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::EAGAIN => "EAGAIN",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::ECONNRESET => "ECONNRESET",
        libc::EINPROGRESS => "EINPROGRESS",
        libc::EINVAL => "EINVAL",
        libc::ENODEV => "ENODEV",
        libc::ENOENT => "ENOENT",
        libc::ENOSYS => "ENOSYS",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::EPERM => "EPERM",
        libc::EPROTONOSUPPORT => "EPROTONOSUPPORT",
        libc::ESOCKTNOSUPPORT => "ESOCKTNOSUPPORT",
        libc::ETIMEDOUT => "ETIMEDOUT",
        _ => "other",
    }
}
