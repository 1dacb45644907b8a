//! With which peers each UDP socket without a connection exchanged datagrams, and how many.
//!
//! Three bounds keep one from using up what others need. A socket's first
//! [`flow::MOST`] peers are counted apart, all others together. The sockets of one owner
//! have [`SHARE`] of the entries. And where there is no entry to be had, a peer is told
//! as long as it is remembered among the acts of owners beyond their budgets (budget.rs).

use aya_ebpf::{
    bindings::bpf_sock,
    macros::{btf_map, map},
    maps::HashMap,
};
use hostnet_abi::{Flow, FlowKey, direction, flow};

use crate::{
    atomic::{add, add_one},
    storage::{NOT_CLONED, SocketStorage},
};

const BPF_F_NO_PREALLOC: u32 = 1;
const BPF_NOEXIST: u64 = 1;

/// Entries of `FLOWS` that one owner's sockets may have.
const SHARE: i64 = flow::ENTRIES as i64 / 4;

/// Peers that are counted apart. The agent removes a socket's when it has told its end.
/// Preallocated: making an entry here is a third of the cost then.
#[map]
static FLOWS: HashMap<FlowKey, Flow> = HashMap::with_max_entries(flow::ENTRIES, 0);

/// How many entries of `FLOWS` the open sockets of an owner have, by the cgroup that pays.
/// Gone with the last of them.
#[map]
static FLOW_SHARES: HashMap<u64, u64> = HashMap::with_max_entries(4096, BPF_F_NO_PREALLOC);

#[btf_map]
static PEERS: SocketStorage<Peers, NOT_CLONED> = SocketStorage::new();

/// What is known of all peers of a socket.
#[repr(C)]
#[derive(Clone, Copy)]
struct Peers {
    /// Those that are counted apart.
    apart: u64,
    /// Of whose share.
    payer: u64,
    /// Datagrams sent to the others.
    sent: u64,
    /// Datagrams received from the others.
    received: u64,
}

/// What a datagram is among those of its socket.
pub enum Noted {
    /// Counted, with its peer's or with those of others: nothing new.
    Counted,
    /// The first with its peer, which is counted apart from now on.
    New(Entry),
    /// With a peer for which there is no entry.
    NoRoom,
}

/// A new entry.
pub struct Entry {
    peers: *mut Peers,
    /// The socket's further peers are counted together.
    pub is_last: bool,
}

/// Datagrams with peers that were not counted apart.
#[derive(Clone, Copy)]
pub struct Others {
    pub sent: u64,
    pub received: u64,
}

/// Counts a datagram. `payer` is asked once for each socket.
#[inline(always)]
pub fn note(
    sk: *const bpf_sock,
    key: &FlowKey,
    direction: u16,
    payer: impl FnOnce() -> u64,
) -> Noted {
    if counted(key, direction) {
        return Noted::Counted;
    }
    let mut peers = PEERS.get(sk.cast());
    if peers.is_null() {
        let mut none = Peers { apart: 0, payer: payer(), sent: 0, received: 0 };
        peers = PEERS.get_or_create(sk.cast(), &mut none);
    }
    // Whoever has used up the memory that a socket may have is told of all the same.
    if peers.is_null() {
        return Noted::NoRoom;
    }
    // SAFETY: a live value of the storage map, checked for null. Several processors may
    // each get one in more than is due.
    let (apart, payer) = unsafe { ((&raw const (*peers).apart).read_volatile(), (*peers).payer) };
    let is_apart = apart < flow::MOST && inserted(key, direction, payer);
    if is_apart {
        // SAFETY: as above; the projection stays inside it.
        add_one(unsafe { &raw mut (*peers).apart });
        return Noted::New(Entry { peers, is_last: apart + 1 == flow::MOST });
    }
    // Another thread may have been first with the same key.
    if apart < flow::MOST && counted(key, direction) {
        return Noted::Counted;
    }
    // SAFETY: as above.
    add_one(unsafe {
        if direction == direction::SENT {
            &raw mut (*peers).sent
        } else {
            &raw mut (*peers).received
        }
    });
    if apart < flow::MOST { Noted::NoRoom } else { Noted::Counted }
}

#[inline(always)]
fn counted(key: &FlowKey, direction: u16) -> bool {
    let Some(flow) = FLOWS.get_ptr_mut(key) else { return false };
    // SAFETY: a live map value; the projections stay inside it.
    add_one(unsafe {
        if direction == direction::SENT { &raw mut (*flow).sent } else { &raw mut (*flow).received }
    });
    true
}

#[inline(always)]
fn inserted(key: &FlowKey, direction: u16, payer: u64) -> bool {
    let mut share = FLOW_SHARES.get_ptr_mut(payer);
    if share.is_none() {
        // Another processor may insert it first; then the second look finds it.
        let _raced = FLOW_SHARES.insert(payer, 0, BPF_NOEXIST);
        share = FLOW_SHARES.get_ptr_mut(payer);
    }
    let Some(share) = share else { return false };
    // SAFETY: a live map value. Below zero when an entry was made while its owner's number
    // was removed.
    if unsafe { share.read_volatile() } as i64 >= SHARE {
        return false;
    }
    let first = Flow {
        sent: (direction == direction::SENT).into(),
        received: (direction == direction::RECEIVED).into(),
    };
    let is_inserted = FLOWS.insert(key, first, BPF_NOEXIST).is_ok();
    if is_inserted {
        add_one(share);
    }
    is_inserted
}

/// Takes back an entry of which the agent, which removes them, does not know. The next
/// datagram may be told, or is counted as this one was.
#[inline(always)]
pub fn forget(key: &FlowKey, entry: &Entry) {
    let _gone = FLOWS.remove(key);
    // SAFETY: the value is live as long as the program runs for its socket.
    let payer = unsafe {
        add(&raw mut (*entry.peers).apart, u64::MAX);
        (*entry.peers).payer
    };
    if let Some(share) = FLOW_SHARES.get_ptr_mut(payer) {
        add(share, u64::MAX);
    }
}

/// A socket ends, by the context of a program for that: its owner may have as many
/// entries again, and what was counted together is for the record of it.
#[inline(always)]
pub fn ended(sk: *const bpf_sock) -> Others {
    let peers = PEERS.get(sk.cast());
    if peers.is_null() {
        return Others { sent: 0, received: 0 };
    }
    // SAFETY: a live value of the storage map, checked for null; nobody sends any more.
    let Peers { apart, payer, sent, received } = unsafe { *peers };
    if let Some(share) = FLOW_SHARES.get_ptr_mut(payer) {
        add(share, apart.wrapping_neg());
        // SAFETY: a live map value.
        if unsafe { share.read_volatile() } as i64 <= 0 {
            let _gone = FLOW_SHARES.remove(payer);
        }
    }
    Others { sent, received }
}
