//! The eBPF programs: one file per operation under `probes`, and the few
//! things they share. Every program observes and returns "allow"; none ends in
//! any other way, whatever it could not read.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
// Stable atomics are not there for a target without compare-and-swap; the plain
// atomic add is, and the toolchain that builds for BPF is unstable anyway.
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics))]
#![cfg_attr(target_arch = "bpf", allow(internal_features, reason = "atomic_xadd"))]

#[cfg(target_arch = "bpf")]
mod agent;
#[cfg(target_arch = "bpf")]
mod atomic;
#[cfg(target_arch = "bpf")]
mod budget;
#[cfg(target_arch = "bpf")]
mod contained;
#[cfg(target_arch = "bpf")]
mod flows;
#[cfg(target_arch = "bpf")]
mod netns;
#[cfg(target_arch = "bpf")]
mod origin;
#[cfg(target_arch = "bpf")]
mod owner;
#[cfg(target_arch = "bpf")]
mod payer;
#[cfg(target_arch = "bpf")]
mod place;
#[cfg(target_arch = "bpf")]
mod probes;
#[cfg(target_arch = "bpf")]
mod read;
#[cfg(target_arch = "bpf")]
mod ring;
#[cfg(target_arch = "bpf")]
mod sensitive;
#[cfg(target_arch = "bpf")]
mod settings;
#[cfg(target_arch = "bpf")]
mod sock;
#[cfg(target_arch = "bpf")]
mod sockaddr;
#[cfg(target_arch = "bpf")]
mod storage;
#[cfg(target_arch = "bpf")]
mod tail;
#[cfg(target_arch = "bpf")]
mod task;
#[cfg(target_arch = "bpf")]
mod unix_name;
#[cfg(target_arch = "bpf")]
mod unix_peer;
#[cfg(target_arch = "bpf")]
mod within_host;

/// A BPF program cannot unwind; the verifier proves that this is never reached.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Kernel functions such as `bpf_get_socket_cookie` are open to GPL-compatible
/// programs only; MIT beside GPL is how the kernel spells that.
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Built for the host, this package is its library; the binary is for bpfel.
#[cfg(not(target_arch = "bpf"))]
fn main() {}
