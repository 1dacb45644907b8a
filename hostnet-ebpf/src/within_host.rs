//! Connections of containers to this host itself, from their end that connects until
//! the other end accepts: the agent names the other end only when it was seen to accept,
//! because a packet filter may have led the connection elsewhere.
//!
//! A host process' accepts are not told otherwise. The end that connects is established
//! first, so the end that accepts finds it here.

use aya_ebpf::{macros::map, maps::Array};
use hostnet_abi::{Address, v4_mapped};

use crate::settings::name_key;

/// A connection as the end that connects has it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Connection {
    pub local: Address,
    pub remote: Address,
    pub local_port: u16,
    pub remote_port: u16,
}

/// A connection that nobody has accepted yet.
#[repr(C)]
#[derive(Clone, Copy)]
struct Seen {
    connection: Connection,
    padding: u32,
    /// The cgroup that connected.
    cgroup: u64,
    /// The connection's number and the cgroup, so that what two processors wrote at the
    /// same moment is not taken for what one of them did.
    check: u64,
}

/// Connections by their number. One takes the place of another that has the same first bits:
/// a table that looks for room would take many times as long, for each connection.
#[map]
static WITHIN_HOST: Array<Seen> = Array::with_max_entries(1 << INDEX_BITS, 0);
const INDEX_BITS: u32 = 13;

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
        if !self.is_within_host() {
            return;
        }
        let number = self.number();
        if let Some(slot) = Self::slot(number) {
            let check = number ^ cgroup;
            let seen = Seen { connection: *self, padding: 0, cgroup, check };
            // SAFETY: a live map value; `accepted` looks whether all of it is one's.
            unsafe { slot.write(seen) };
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
        let number = client.number();
        let slot = Self::slot(number)?;
        // SAFETY: a live map value; volatile, because other processors write it.
        let seen = unsafe { slot.read_volatile() };
        if seen.check ^ seen.cgroup != number || !client.is(&seen.connection) {
            return None;
        }
        // SAFETY: as above; the projection stays inside it. No connection has this port.
        unsafe { (&raw mut (*slot).connection.local_port).write_volatile(0) };
        Some(seen.cgroup)
    }

    #[inline(always)]
    fn slot(number: u64) -> Option<*mut Seen> {
        WITHIN_HOST.get_ptr_mut((number >> (u64::BITS - INDEX_BITS)) as u32)
    }

    /// A number that others cannot choose, or they could choose to take another's place.
    #[inline(always)]
    fn number(&self) -> u64 {
        let ports = u32::from(self.local_port) << 16 | u32::from(self.remote_port);
        name_key(0)
            .wrapping_mul(ports.into())
            .wrapping_add(name_key(1).wrapping_mul(self.local[3].into()))
            .wrapping_add(name_key(2).wrapping_mul(self.remote[3].into()))
    }

    #[inline(always)]
    fn is(&self, other: &Self) -> bool {
        self.local_port == other.local_port
            && self.remote_port == other.remote_port
            && is_same(&self.local, &other.local)
            && is_same(&self.remote, &other.remote)
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
