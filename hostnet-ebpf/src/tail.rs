//! The tail of a record while it is put together: strings, one after the other.

use aya_ebpf::helpers::generated::{
    bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user,
};

/// Strings begin before this; a power of two, so that a mask keeps them there.
const SPACE: usize = 4096;

/// Longest string.
const LONGEST: usize = 1024;

/// The bytes that a tail is written to.
pub type Bytes = [u8; SPACE + LONGEST];

/// A tail that is exclusively its maker's.
#[derive(Clone, Copy)]
pub struct Tail {
    /// The verifier of older kernels forgets the bounds of what was spilled to the
    /// stack, so the length lives in memory and is masked where it is used.
    length: *mut u64,
    bytes: *mut Bytes,
}

impl Tail {
    /// An empty tail in `bytes`, whose length is kept in `length`.
    ///
    /// # Safety
    /// Both must be valid, and nobody else's, as long as the tail is used.
    #[inline(always)]
    pub unsafe fn new(length: *mut u64, bytes: *mut Bytes) -> Self {
        // SAFETY: the caller's promise.
        unsafe { length.write_volatile(0) };
        Self { length, bytes }
    }

    /// Bytes so far.
    #[inline(always)]
    pub fn length(self) -> u64 {
        // SAFETY: the promise made to `new`.
        unsafe { self.length.read_volatile() }
    }

    /// Appends the string at a kernel address, at most `most` bytes with its NUL.
    /// Returns how many it has here; 0 when it cannot be read.
    #[inline(always)]
    pub fn append_string(self, from: u64, most: usize) -> u64 {
        // SAFETY: the helper checks `from`, and `end` leaves room for the longest.
        let copied = unsafe {
            bpf_probe_read_kernel_str(self.end(), most.min(LONGEST) as u32, from as *const _)
        };
        let copied = if copied > 0 { copied as u64 } else { 0 };
        self.grow(copied);
        copied
    }

    /// Appends `length` bytes at a user address; returns whether they could be read.
    #[inline(always)]
    pub fn append_user(self, from: u64, length: u64) -> bool {
        let length = if length > LONGEST as u64 { LONGEST as u64 } else { length };
        // SAFETY: the helper checks `from`, and `end` leaves room for the longest.
        let status = unsafe { bpf_probe_read_user(self.end(), length as u32, from as *const _) };
        if status == 0 {
            self.grow(length);
        }
        status == 0
    }

    /// Appends the four bytes at a kernel address, if they can be read.
    #[inline(always)]
    pub fn append_word(self, from: u64) {
        // SAFETY: the helper checks `from`, and `end` leaves room for the longest string.
        let status = unsafe { bpf_probe_read_kernel(self.end(), 4, from as *const _) };
        if status == 0 {
            self.grow(4);
        }
    }

    /// Has a part appended; returns how many bytes it has.
    #[inline(always)]
    pub fn section(self, append: impl FnOnce()) -> u16 {
        let before = self.length();
        append();
        (self.length() - before) as u16
    }

    #[inline(always)]
    fn end(self) -> *mut core::ffi::c_void {
        let at = self.length() as usize & (SPACE - 1);
        // SAFETY: the mask keeps it inside.
        unsafe { self.bytes.cast::<u8>().add(at).cast() }
    }

    #[inline(always)]
    fn grow(self, by: u64) {
        // SAFETY: the promise made to `new`.
        unsafe { self.length.write_volatile(self.length() + by) };
    }
}
