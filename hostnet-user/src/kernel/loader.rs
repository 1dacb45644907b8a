//! aya's loader, made without what it would read for nothing.
//!
//! It reads the kernel's type information as soon as it is made, before it can be given the
//! part that is needed, and takes 20 MB for it: more than the agent needs afterwards.

use std::{io, thread};

use aya::EbpfLoader;
use rustix::{
    process::chroot,
    thread::{UnshareFlags, unshare_unsafe},
};

use crate::kernel::memory;

/// A directory in which there are no others.
const EMPTY: &str = "/proc/self/fdinfo";

/// A loader without type information.
pub(super) fn loader<'a>() -> EbpfLoader<'a> {
    let made = thread::Builder::new().name("loader".to_owned()).spawn(|| {
        if let Err(error) = look_elsewhere() {
            // It is read, then, and forgotten below.
            tracing::debug!("the loader reads all of the kernel's type information: {error}");
        }
        EbpfLoader::new()
    });
    let made = made.ok().and_then(|made| made.join().ok());
    let mut loader = made.unwrap_or_default();
    loader.btf(None);
    memory::give_back();
    loader
}

/// From now on this thread, and no other, finds no file by an absolute path.
fn look_elsewhere() -> io::Result<()> {
    // SAFETY: descriptors stay shared; the root directory is no concern of memory.
    unsafe { unshare_unsafe(UnshareFlags::FS) }?;
    Ok(chroot(EMPTY)?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_loader_has_no_type_information_and_others_find_their_files() {
        let loader = format!("{:?}", loader());
        assert!(loader.contains("btf: None"), "{loader}");
        assert!(Path::new("/proc/self/ns").exists());
    }

    #[test]
    fn a_thread_that_looks_elsewhere_finds_no_type_information() {
        let found = thread::spawn(|| look_elsewhere().map(|()| aya::Btf::from_sys_fs().is_ok()));
        match found.join().unwrap() {
            Ok(found) => assert!(!found),
            Err(error) => crate::skip::skip(&format!("no other root may be chosen: {error}")),
        }
    }
}
