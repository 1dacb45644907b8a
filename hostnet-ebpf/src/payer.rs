//! Who pays for what happens to a TCP socket where nobody acts: its outcome, its accepts
//! and its end.
//!
//! The cgroup that a socket was made in pays for most. Where others than its own processes
//! may be, that would be somebody else's budget: so whoever connects or listens there is
//! noted with the socket, and those accepted from it inherit that.

use core::ffi::c_void;

use aya_ebpf::macros::btf_map;

use crate::{
    budget::payer,
    owner::Owner,
    storage::{CLONED, SocketStorage},
};

/// The cgroup that pays, of sockets that were used in a cgroup that does not pay itself.
#[btf_map]
static PAYER: SocketStorage<u64, CLONED> = SocketStorage::new();

/// The process `tgid` of `owner` connects or listens with this socket.
#[inline(always)]
pub fn note(owner: Owner, tgid: u32, sk: *const c_void) {
    if owner.pays_itself() {
        return;
    }
    let mut pays = payer(owner.cgroup, tgid);
    let noted = PAYER.get_or_create(sk, &mut pays);
    if !noted.is_null() {
        // SAFETY: a live value of the storage map, checked for null. Another process may
        // use the socket now than before.
        unsafe { *noted = pays };
    }
}

/// Who pays for a socket that was made in `owner`. Where others may be, nobody does whose
/// socket it might not be.
#[inline(always)]
pub fn of_socket(owner: Owner, sk: *const c_void) -> Owner {
    if owner.pays_itself() {
        return owner;
    }
    let noted = PAYER.get(sk);
    if !noted.is_null() {
        // SAFETY: as above.
        return Owner::of(unsafe { *noted });
    }
    if owner.is_mixed() { Owner::NOBODY } else { owner }
}
