//! Reading kernel structs: a BTF-typed pointer plus a constant offset may be
//! dereferenced directly (accepted from 5.10 on); anything else is copied by
//! `bpf_probe_read_kernel`.

use aya_ebpf::{
    EbpfContext as _,
    helpers::{bpf_probe_read_kernel, generated::bpf_get_func_ret},
    programs::FExitContext,
};

/// Reads the `T` at `base + offset`.
///
/// # Safety
/// `base` must come from the kernel as a BTF-typed pointer and `offset` from
/// [`hostnet_abi::Offsets`], so that the verifier checks the access.
#[inline(always)]
pub unsafe fn field<B, T: Copy>(base: *const B, offset: usize) -> T {
    // SAFETY: the verifier checks it against the kernel's BTF; a fault reads as zero.
    unsafe { core::ptr::read_volatile(base.cast::<u8>().add(offset).cast::<T>()) }
}

/// Copies the `T` at `base + offset`, for pointers without a BTF type. Zero
/// when the address cannot be read.
#[inline(always)]
pub fn copied<T: Copy + Default>(base: u64, offset: usize) -> T {
    // SAFETY: the helper checks the address and fails instead of faulting.
    unsafe { bpf_probe_read_kernel((base + offset as u64) as *const T) }.unwrap_or_default()
}

/// What the function a fexit program is attached to returned; its argument
/// counts differ by kernel, so the return is not read as an argument.
#[inline(always)]
pub fn returned(ctx: &FExitContext) -> i32 {
    let mut value = 0;
    // SAFETY: the program's own context and a value of its own.
    unsafe { bpf_get_func_ret(ctx.as_ptr(), &raw mut value) };
    value as i32
}
