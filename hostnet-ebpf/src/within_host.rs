//! Connections of containers to this host itself, from their end that connects until
//! the other end accepts: the agent names the other end only when it was seen to accept,
//! because a packet filter may have led the connection elsewhere.
//!
//! A host process' accepts are not told otherwise. The end that connects is established
//! first, so the end that accepts finds it here.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::LruHashMap};
use hostnet_abi::{Address, v4_mapped};

/// A connection as the end that connects has it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Connection {
    pub local: Address,
    pub remote: Address,
    pub local_port: u16,
    pub remote_port: u16,
}

/// The cgroup that connected. Entries that nobody accepts make room for others.
#[map]
static WITHIN_HOST: LruHashMap<Connection, u64> = LruHashMap::with_max_entries(1 << 13, 0);

impl Connection {
    /// Whether both ends have the same address, or one of loopback: mostly so when a host
    /// talks to itself. What is not is not confirmed, and nobody is named.
    #[inline(always)]
    fn is_within_host(&self) -> bool {
        is_same(&self.local, &self.remote)
            || (is_loopback(&self.local) && is_loopback(&self.remote))
    }

    /// A container's socket in `cgroup` is connected.
    #[inline(always)]
    pub fn connected(&self, cgroup: u64) {
        if self.is_within_host() {
            // Without room the other end is not named.
            let _full = WITHIN_HOST.insert(self, cgroup, BPF_ANY.into());
        }
    }

    /// The cgroup at the end that connected, when this is the end that accepts; once.
    #[inline(always)]
    pub fn accepted(&self) -> Option<u64> {
        if !self.is_within_host() {
            return None;
        }
        let client = Self {
            local: self.remote,
            remote: self.local,
            local_port: self.remote_port,
            remote_port: self.local_port,
        };
        // SAFETY: the reference does not outlive this expression.
        let cgroup = unsafe { WITHIN_HOST.get(client) }.copied()?;
        let _absent = WITHIN_HOST.remove(client);
        Some(cgroup)
    }
}

#[inline(always)]
fn is_loopback(address: &Address) -> bool {
    let is_v4 = address[2] == v4_mapped(0)[2] && address[3].to_ne_bytes()[0] == 127;
    let is_v6 = address[2] == 0 && address[3] == 1u32.to_be();
    address[0] == 0 && address[1] == 0 && (is_v4 || is_v6)
}

/// Word by word: as a whole they would be compared by a function.
#[inline(always)]
const fn is_same(one: &Address, other: &Address) -> bool {
    one[0] == other[0] && one[1] == other[1] && one[2] == other[2] && one[3] == other[3]
}
