//! The two read-only globals the agent fills before load.

use aya_ebpf::Global;
use hostnet_abi::{Offsets, Settings};

#[unsafe(no_mangle)]
static SETTINGS: Global<Settings> = Global::new(Settings::UNSET);

#[unsafe(no_mangle)]
static OFFSETS: Global<Offsets> = Global::new(Offsets::UNSET);

/// One field of the settings. Only that field is loaded: the map is frozen,
/// and the verifier then knows the value as a constant.
macro_rules! setting {
    ($field:ident) => {
        $crate::settings::setting_at(core::mem::offset_of!(hostnet_abi::Settings, $field))
    };
    ($field:ident, $type:ty) => {
        $crate::settings::setting_at::<$type>(core::mem::offset_of!(hostnet_abi::Settings, $field))
    };
}

/// One field offset, a constant to the verifier for the same reason.
macro_rules! offset {
    ($field:ident) => {
        $crate::settings::offset_at(core::mem::offset_of!(hostnet_abi::Offsets, $field))
    };
}

pub(crate) use {offset, setting};

#[inline(always)]
pub fn setting_at<T: Copy>(at: usize) -> T {
    // SAFETY: `at` is the offset of a field of that type in the static. The read
    // is volatile, or the compiler would fold in the value of `UNSET`.
    unsafe { core::ptr::read_volatile((&raw const SETTINGS).byte_add(at).cast::<T>()) }
}

/// One of the random keys of hashes that others must not be able to choose.
#[inline(always)]
pub fn name_key(index: usize) -> u64 {
    setting_at(core::mem::offset_of!(Settings, name_keys) + index * size_of::<u64>())
}

#[inline(always)]
pub fn offset_at(at: usize) -> usize {
    // SAFETY: as above; every field of `Offsets` is a `u32`.
    unsafe { core::ptr::read_volatile((&raw const OFFSETS).byte_add(at).cast::<u32>()) as usize }
}
