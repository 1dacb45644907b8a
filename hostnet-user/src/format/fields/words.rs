//! The words and the longer explanations that rows of list.rs use.

use super::Kind::{self, Word};
use crate::event::{OwnerKind, Scope, Surface};

pub const OWNER_KINDS: Kind = Word(OwnerKind::NAMES);
pub const CONFIDENCES: Kind =
    Word(&["confirmed", "runtime", "path", "cgroup", "namespace", "none"]);
pub const METHODS: Kind =
    Word(&["cgroup-id", "cgroup-path", "cgroup-v1-path", "origin", "namespaces", "none"]);
pub const METHOD_TEXT: &str = "How the owner is known: by the id of its cgroup, confirmed or outside \
     every container; by the path of its cgroup, or by that in a cgroup-v1 hierarchy; by the \
     `origin` of a process that has left its container's cgroup; by its namespaces.";
pub const CONFIDENCE_TEXT: &str = "How sure: `confirmed` the runtime's own process is in that cgroup, \
     `runtime` the runtime knows the id, `path` only the path names it, `cgroup` outside every \
     container, `namespace` not the host's namespaces, `none` not known.";
pub const PEER_METHODS: Kind =
    Word(&["address", "wildcard", "connection", "credentials", "runtime"]);
pub const PEER_METHOD: &str = "How that is known: a socket is bound to that very `address`, or to every \
    one (`wildcard`); the same `connection` was seen from its other end; the kernel keeps the \
    other end's `credentials` with a unix socket; or the `runtime` says that a container has that \
    address. Of a TCP connection within this host, the other end is named when it was seen to accept \
    that very connection, so that nobody is named whom a packet filter keeps it from. Not known are: \
    whoever sent a datagram first, the receiver of a datagram that a packet filter may redirect, the \
    receiver of a unix datagram sent by name, host processes that connect to a container unless they \
    are told (`--all`), and, until the table is filled anew, anybody after a record was lost.";
pub const PEER_PROCESS: &str = "Process id on the host, when it is one process and known. A socket \
    that is handed on, by systemd for one, is of the process that called listen(2).";
pub const VIAS: Kind = Word(&["docker-proxy"]);
pub const SCOPES: Kind = Word(Scope::NAMES);

pub const SURFACES: Kind = Word(&SURFACE_NAMES);
const SURFACE_NAMES: [&str; Surface::ALL.len()] = {
    let mut names = [""; Surface::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Surface::ALL[at].name();
        at += 1;
    }
    names
};
pub const SURFACE_TEXT: &str = "What part of the world it is aimed at, as the host's addresses and routes \
    had it then: the host's loopback, another of its own addresses, its address on a bridge and the \
    containers there, a cloud's metadata service, networks it is attached to, private addresses behind \
    a router, the internet; sockets that have no IP address by what they are.";
