//! The bpf(2) system call, for tests that look at programs and maps, or load some themselves.
//! It knows no command; who asks brings the attributes of his.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// Does `command` with `attributes`, which is `union bpf_attr` as far as the command reads it; what
/// it points to must be alive.
///
/// # Errors
/// What the kernel says.
pub fn call<T>(command: i32, attributes: &mut T) -> io::Result<i32> {
    let start = std::ptr::from_mut(attributes);
    // SAFETY: the attributes are as long as is said and are borrowed for the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, start, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

/// As [`call`], for commands that answer with a new descriptor.
///
/// # Errors
/// What the kernel says.
pub fn open<T>(command: i32, attributes: &mut T) -> io::Result<OwnedFd> {
    let descriptor = call(command, attributes)?;
    // SAFETY: the kernel has just made it for this process, and nothing else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
