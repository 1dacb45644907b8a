//! `empty_*` return at once; `record_*` leave one small record without waking
//! anybody. Both allow everything.

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_get_current_cgroup_id, bpf_ktime_get_ns},
    },
    macros::{cgroup_sock_addr, map},
    maps::RingBuf,
    programs::SockAddrContext,
};

const ALLOW: i32 = 1;

#[map]
static RECORDS: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// A BPF program cannot unwind; the verifier proves that this is never reached.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cgroup_sock_addr(connect4)]
pub fn empty_connect(_ctx: SockAddrContext) -> i32 {
    ALLOW
}

#[cgroup_sock_addr(bind4)]
pub fn empty_bind(_ctx: SockAddrContext) -> i32 {
    ALLOW
}

#[cgroup_sock_addr(connect4)]
pub fn record_connect(_ctx: SockAddrContext) -> i32 {
    record();
    ALLOW
}

#[cgroup_sock_addr(bind4)]
pub fn record_bind(_ctx: SockAddrContext) -> i32 {
    record();
    ALLOW
}

/// 128 bytes: who, in which cgroup, when, and room for the rest, all written.
#[inline(always)]
fn record() {
    let Some(mut entry) = RECORDS.reserve::<[u64; 16]>(0) else { return };
    let words = entry.as_mut_ptr().cast::<u64>();
    // SAFETY: the reservation has sixteen words; the helpers take no argument.
    // Volatile, or the compiler would make the stores wider and fewer.
    unsafe {
        words.write_volatile(bpf_get_current_pid_tgid());
        words.add(1).write_volatile(bpf_get_current_cgroup_id());
        words.add(2).write_volatile(bpf_ktime_get_ns());
        for at in 3..16 {
            words.add(at).write_volatile(at as u64);
        }
    }
    entry.submit(BPF_RB_NO_WAKEUP.into());
}
