//! errno numbers by their names.

use std::fmt;

/// The name of an errno that a socket operation can end with, such as
/// `ECONNREFUSED`; `None` for one that is not known by name here.
#[must_use]
pub fn name(errno: u16) -> Option<&'static str> {
    Some(match i32::from(errno) {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::EINTR => "EINTR",
        libc::EIO => "EIO",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EINVAL => "EINVAL",
        libc::EPIPE => "EPIPE",
        libc::EPROTO => "EPROTO",
        libc::EMSGSIZE => "EMSGSIZE",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::EADDRINUSE => "EADDRINUSE",
        libc::EADDRNOTAVAIL => "EADDRNOTAVAIL",
        libc::ENETDOWN => "ENETDOWN",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::ENETRESET => "ENETRESET",
        libc::ECONNABORTED => "ECONNABORTED",
        libc::ECONNRESET => "ECONNRESET",
        libc::ENOBUFS => "ENOBUFS",
        libc::EISCONN => "EISCONN",
        libc::ENOTCONN => "ENOTCONN",
        libc::ETIMEDOUT => "ETIMEDOUT",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::EHOSTDOWN => "EHOSTDOWN",
        libc::EHOSTUNREACH => "EHOSTUNREACH",
        libc::EALREADY => "EALREADY",
        libc::EINPROGRESS => "EINPROGRESS",
        _ => return None,
    })
}

/// The errno of that name, when it has one here.
#[must_use]
pub fn number(wanted: &str) -> Option<u16> {
    // MAX_ERRNO, include/linux/err.h.
    (1..4096).find(|errno| name(*errno) == Some(wanted))
}

/// Writes ` (NAME)` after a failure whose errno is known.
///
/// # Errors
/// The formatter's.
pub fn suffix(f: &mut fmt::Formatter<'_>, errno: Option<u16>) -> fmt::Result {
    let Some(errno) = errno else { return Ok(()) };
    match name(errno) {
        Some(name) => write!(f, " ({name})"),
        None => write!(f, " (errno {errno})"),
    }
}
