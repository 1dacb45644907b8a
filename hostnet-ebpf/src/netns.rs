//! The question every program asks first: is this the host's network namespace?
//!
//! It is asked of the socket, never of what a container declares, so that
//! `--network container:X`, `setns(2)` and other runtimes are all seen.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_get_netns_cookie;

use crate::{
    read::field,
    settings::{offset, setting},
};

/// For cgroup programs, whose context names the socket. Without a context the
/// helper answers for the first namespace (net/core/filter.c,
/// `__bpf_get_netns_cookie`, 5.7–7.3).
#[inline(always)]
pub fn context_is_host(ctx: *mut c_void) -> bool {
    // SAFETY: `ctx` is the program's own context.
    unsafe { bpf_get_netns_cookie(ctx) == bpf_get_netns_cookie(core::ptr::null_mut()) }
}

/// For tracing programs: `sk->__sk_common.skc_net.net->ns.inum`.
#[inline(always)]
pub fn sock_is_host(sk: *const c_void) -> bool {
    // SAFETY: `sk` is a BTF-typed `struct sock` and the offsets are the kernel's.
    unsafe {
        let net: *const c_void = field(sk, offset!(sock_net));
        field::<_, u32>(net, offset!(net_inum)) == setting!(host_netns)
    }
}

/// For tracing programs about a task: `task->nsproxy->net_ns->ns.inum`.
#[inline(always)]
pub fn task_is_host(task: *const c_void) -> bool {
    // SAFETY: `task` is a BTF-typed `struct task_struct` and the offsets are the kernel's.
    unsafe {
        let nsproxy: *const c_void = field(task, offset!(task_nsproxy));
        let net: *const c_void = field(nsproxy, offset!(nsproxy_net));
        field::<_, u32>(net, offset!(net_inum)) == setting!(host_netns)
    }
}
