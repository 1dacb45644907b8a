//! TCP's life: listen, the outcome of a connect, accept, close.
//!
//! `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`
//! (include/trace/events/sock.h, since 4.16), called by `inet_sk_state_store` and
//! `inet_sk_set_state` (net/ipv4/af_inet.c). Most transitions happen in softirq
//! or in the other end's context, so the current task is blamed only for listen.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::bpf_skc_to_tcp_sock,
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use aya_log_ebpf::debug;
use hostnet_abi::{Accept, Close, ConnectOutcome, Hook, Listen, established};

use crate::{
    netns,
    origin::{CreatedIn, Origin},
    owner::Owner,
    payer,
    read::{copied, field},
    ring::emit,
    settings::offset,
    sock::{Ends, IPPROTO_TCP, cgroup_of, cookie, ends_of, socket_of},
    storage::{CLONED, SocketStorage},
    task::Actor,
    within_host::Connection,
};

// include/net/tcp_states.h
const TCP_ESTABLISHED: i32 = 1;
const TCP_SYN_SENT: i32 = 2;
const TCP_SYN_RECV: i32 = 3;
const TCP_CLOSE: i32 = 7;
const TCP_LISTEN: i32 = 10;

/// Bit `SOCK_DONE` of `sk_flags` (enum sock_flags, include/net/sock.h), which
/// `tcp_fin` sets: from then on `bytes_received` counts the peer's FIN.
const SOCK_DONE: u64 = 1 << 1;

/// The listening socket's cookie, which the sockets accepted from it inherit. A
/// socket that connects and meets the other end's SYN has its own.
#[btf_map]
static LISTENER: SocketStorage<u64, CLONED> = SocketStorage::new();

#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    let sk: *const c_void = ctx.arg(0);
    let old: i32 = ctx.arg(1);
    let new: i32 = ctx.arg(2);
    // Half of a connection's states say nothing.
    if !matches!(new, TCP_ESTABLISHED | TCP_SYN_RECV | TCP_CLOSE | TCP_LISTEN)
        || (new == TCP_SYN_RECV && old != TCP_SYN_SENT)
    {
        return 0;
    }
    if !netns::sock_is_host(sk) {
        return 0;
    }
    // SAFETY: a BTF-typed socket and the kernel's offset.
    if unsafe { field::<_, u16>(sk, offset!(sock_protocol)) } != IPPROTO_TCP {
        return 0;
    }
    let mut listener = 0;
    let connects = match (old, new) {
        (TCP_SYN_SENT, TCP_SYN_RECV) => crosses(&ctx, sk),
        (TCP_SYN_SENT, TCP_ESTABLISHED | TCP_CLOSE) => true,
        (TCP_SYN_RECV, TCP_ESTABLISHED | TCP_CLOSE) => {
            listener = marked(sk);
            // Whether the socket met the other end's SYN while it connected.
            listener != 0 && listener == cookie(sk.cast_mut())
        }
        _ => false,
    };
    match (old, new) {
        _ if connects => connect_went_on(sk, new),
        (TCP_CLOSE, TCP_LISTEN) => listened(&ctx, sk),
        (TCP_SYN_RECV, TCP_ESTABLISHED) => accepted(sk, listener),
        // A connection that never was established has no end to tell.
        (TCP_SYN_SENT | TCP_SYN_RECV | TCP_CLOSE, TCP_CLOSE) => {}
        (_, TCP_CLOSE) => closed(sk, old),
        _ => {}
    }
    0
}

/// A record of this hook; `None` when the socket's owner is a host process.
#[inline(always)]
fn origin(sk: *const c_void) -> Option<Origin> {
    let owner = Owner::of(cgroup_of(sk));
    owner.is_told().then(|| Origin {
        hook: Hook::InetSockSetState,
        actor: Actor::NONE,
        owner: payer::of_socket(owner, sk),
        created_in: CreatedIn::Cgroup(owner.cgroup),
        cookie: cookie(sk.cast_mut()),
    })
}

/// `inet_csk_listen_start`, in the caller's context. Host processes' listeners
/// are told too: they name the other end of a connection.
#[inline(always)]
fn listened(ctx: &BtfTracePointContext, sk: *const c_void) {
    let socket = socket_of(sk);
    let ends = ends_of(sk, socket.family);
    let mut listener = cookie(sk.cast_mut());
    if LISTENER.get_or_create(sk, &mut listener).is_null() {
        debug!(ctx, "no memory to mark listener {}: its accepts will not name it", listener);
    }
    let actor = Actor::current();
    let owner = Owner::of(actor.cgroup);
    payer::note(owner, actor.tgid(), sk);
    let origin = Origin {
        hook: Hook::InetSockSetState,
        actor,
        owner,
        created_in: CreatedIn::Cgroup(cgroup_of(sk)),
        cookie: listener,
    };
    let port = port_number(sk);
    // SAFETY: a BTF-typed socket and the kernel's offset.
    let backlog = unsafe { field(sk, offset!(sock_max_ack_backlog)) };
    let bits: u8 = copied(sk as u64, offset!(sock_reuse_bits));
    let interface = copied(sk as u64, offset!(sock_bound_dev_if));
    let reuse = bits.into();
    emit(origin, Listen { address: ends.local, port, reuse, backlog, socket, interface });
}

/// `tcp_rcv_synsent_state_process` on a SYN: both ends connect to each other at the
/// same time (RFC 9293 3.5), or one socket connects to itself. The socket goes on
/// through SYN_RECV like an accepted one, and is the one that connected.
#[inline(always)]
fn crosses(ctx: &BtfTracePointContext, sk: *const c_void) -> bool {
    let own = cookie(sk.cast_mut());
    let mut initial = own;
    let mark = LISTENER.get_or_create(sk, &mut initial);
    if mark.is_null() {
        debug!(ctx, "no memory to mark socket {}: its connect is told as an accept", own);
        return false;
    }
    // SAFETY: a live value of the storage map. What it came from by accept(2), before it
    // was disconnected and connected elsewhere, does not matter any more.
    unsafe { *mark = own };
    true
}

/// The mark of a socket; 0 for none.
#[inline(always)]
fn marked(sk: *const c_void) -> u64 {
    let mark = LISTENER.get(sk);
    // SAFETY: a live value of the storage map, checked for null.
    if mark.is_null() { 0 } else { unsafe { *mark } }
}

/// `tcp_finish_connect`, `tcp_reset`, `tcp_write_err`, a close before either, or a SYN
/// of the other end's.
#[inline(always)]
fn connect_went_on(sk: *const c_void, new: i32) {
    let Some(origin) = origin(sk) else { return };
    let socket = socket_of(sk);
    let ends = ends_of(sk, socket.family);
    let local_port = if new == TCP_CLOSE { source_port(tcp_of(sk)) } else { port_number(sk) };
    if new == TCP_ESTABLISHED {
        connection(&ends, local_port).connected(origin.owner.cgroup);
    }
    // SAFETY: a BTF-typed socket and the kernel's offset.
    let errno: i32 = unsafe { field(sk, offset!(sock_err)) };
    let (established, errno) = match new {
        TCP_ESTABLISHED => (established::YES, 0),
        TCP_CLOSE => (established::NO, errno as u16),
        _ => (established::NOT_YET, 0),
    };
    emit(
        origin,
        ConnectOutcome {
            local: ends.local,
            remote: ends.remote,
            local_port,
            remote_port: ends.remote_port,
            established,
            errno,
            socket,
        },
    );
}

#[inline(always)]
fn connection(ends: &Ends, local_port: u16) -> Connection {
    let Ends { local, remote, remote_port } = *ends;
    Connection { local, remote, local_port, remote_port }
}

/// `tcp_rcv_state_process` on the socket that `tcp_v{4,6}_syn_recv_sock` made. A host
/// process' is told when a container is at the other end, and paid for by that.
#[inline(always)]
fn accepted(sk: *const c_void, listener: u64) {
    let socket = socket_of(sk);
    let ends = ends_of(sk, socket.family);
    let local_port = port_number(sk);
    let cgroup = cgroup_of(sk);
    let mut owner = Owner::of(cgroup);
    if owner.is_told() {
        owner = payer::of_socket(owner, sk);
    } else {
        let Some(client) = connection(&ends, local_port).accepted() else { return };
        owner = Owner::of(client);
    }
    let origin = Origin {
        hook: Hook::InetSockSetState,
        actor: Actor::NONE,
        owner,
        created_in: CreatedIn::Cgroup(cgroup),
        cookie: cookie(sk.cast_mut()),
    };
    emit(
        origin,
        Accept {
            listener,
            local: ends.local,
            remote: ends.remote,
            local_port,
            remote_port: ends.remote_port,
            padding: 0,
            socket,
        },
    );
}

/// `tcp_done`, `tcp_close` or `inet_csk_listen_stop`. Host processes' listeners
/// are told, their connections are not.
#[inline(always)]
fn closed(sk: *const c_void, old: i32) {
    let owner = Owner::of(cgroup_of(sk));
    if old != TCP_LISTEN && !owner.is_told() {
        return;
    }
    let socket = socket_of(sk);
    let ends = ends_of(sk, socket.family);
    let tcp = tcp_of(sk);
    // SAFETY: a BTF-typed socket and the kernel's offsets.
    let (errno, flags) = unsafe {
        (field::<_, i32>(sk, offset!(sock_err)), field::<_, u64>(sk, offset!(sock_flags)))
    };
    let (mut sent, mut received, local_port) = (0, 0, source_port(tcp));
    if !tcp.is_null() && old != TCP_LISTEN {
        // SAFETY: a BTF-typed tcp_sock and the kernel's offsets.
        unsafe {
            sent = field::<_, u64>(tcp, offset!(tcp_bytes_sent))
                - field::<_, u64>(tcp, offset!(tcp_bytes_retrans));
            received = field::<_, u64>(tcp, offset!(tcp_bytes_received));
        }
        if flags & SOCK_DONE != 0 && received > 0 {
            received -= 1;
        }
    }
    let origin = Origin {
        hook: Hook::InetSockSetState,
        actor: Actor::NONE,
        owner: payer::of_socket(owner, sk),
        created_in: CreatedIn::Cgroup(owner.cgroup),
        cookie: cookie(sk.cast_mut()),
    };
    emit(
        origin,
        Close {
            sent,
            received,
            local: ends.local,
            remote: ends.remote,
            local_port,
            remote_port: ends.remote_port,
            errno: errno as u16,
            from_state: old as u16,
            socket,
        },
    );
}

/// `skc_num`, host order, of a socket that is not closed.
#[inline(always)]
fn port_number(sk: *const c_void) -> u16 {
    // SAFETY: a BTF-typed socket and the kernel's offset.
    unsafe { field(sk, offset!(sock_num)) }
}

/// The `struct tcp_sock`, whose fields are open to this pointer only; null of anything but TCP.
#[inline(always)]
fn tcp_of(sk: *const c_void) -> *const c_void {
    // SAFETY: a BTF-typed socket, as the helper wants.
    unsafe { bpf_skc_to_tcp_sock(sk.cast_mut()) }.cast::<c_void>()
}

/// `inet_sport`, host order, by [`tcp_of`]. `skc_num` is already 0 when a socket closes.
#[inline(always)]
fn source_port(tcp: *const c_void) -> u16 {
    if tcp.is_null() {
        return 0;
    }
    // SAFETY: a BTF-typed tcp_sock and the kernel's offset.
    u16::from_be(unsafe { field(tcp, offset!(tcp_sport)) })
}
