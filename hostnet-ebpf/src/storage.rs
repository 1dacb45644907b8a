//! A value that lives and dies with a socket, in any program type. aya-ebpf's
//! own socket storage is for `sock_addr` contexts only.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_sk_storage_get;

const BPF_SK_STORAGE_GET_F_CREATE: u64 = 1;

/// `BPF_F_NO_PREALLOC`, which socket storage demands.
pub const NOT_CLONED: usize = 1;
/// With `BPF_F_CLONE`: a listening socket hands a copy to those accepted from it.
pub const CLONED: usize = 0x201;

/// Socket storage; the lengths of the arrays are what the loader reads from BTF.
#[repr(C)]
pub struct SocketStorage<T, const FLAGS: usize> {
    r#type: *const [i32; 24], // BPF_MAP_TYPE_SK_STORAGE
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; FLAGS],
}

// SAFETY: the fields are placeholders for the loader and are never dereferenced.
unsafe impl<T, const FLAGS: usize> Sync for SocketStorage<T, FLAGS> {}

impl<T, const FLAGS: usize> SocketStorage<T, FLAGS> {
    pub const fn new() -> Self {
        Self {
            r#type: core::ptr::null(),
            key: core::ptr::null(),
            value: core::ptr::null(),
            max_entries: core::ptr::null(),
            map_flags: core::ptr::null(),
        }
    }

    /// The value of a BTF-typed socket; null when it has none.
    #[inline(always)]
    pub fn get(&self, sk: *const c_void) -> *mut T {
        // SAFETY: a map and a BTF-typed socket.
        unsafe { bpf_sk_storage_get(self.map(), sk.cast_mut(), core::ptr::null_mut(), 0).cast() }
    }

    /// The value of a BTF-typed socket, `initial` when it had none; null when
    /// there is no memory.
    #[inline(always)]
    pub fn get_or_create(&self, sk: *const c_void, initial: &mut T) -> *mut T {
        let initial = (&raw mut *initial).cast();
        // SAFETY: a map and a BTF-typed socket; the helper copies the value.
        unsafe {
            bpf_sk_storage_get(self.map(), sk.cast_mut(), initial, BPF_SK_STORAGE_GET_F_CREATE)
                .cast()
        }
    }

    fn map(&self) -> *mut c_void {
        (&raw const *self).cast_mut().cast()
    }
}
