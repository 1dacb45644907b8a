//! The name of a unix socket: bytes that somebody else chose.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text;

/// What follows `sun_family` in a `sockaddr_un`, exactly as long as the kernel
/// keeps it. Never empty: an unnamed socket has no address at all (unix(7)).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnixAddress(Vec<u8>);

impl UnixAddress {
    /// From the bytes of `sun_path`; `None` for an unnamed socket. The NUL that
    /// ends a path is not part of it.
    #[must_use]
    pub fn new(sun_path: &[u8]) -> Option<Self> {
        let bytes = match sun_path {
            [] => return None,
            [0, ..] => sun_path,
            path => path.split(|byte| *byte == 0).next().unwrap_or(path),
        };
        Some(Self(bytes.to_vec()))
    }

    /// Whether it is in the abstract namespace, which the host's network
    /// namespace shares with every container that is in it.
    #[must_use]
    pub fn is_abstract(&self) -> bool {
        self.0.first() == Some(&0)
    }

    /// Its bytes: an abstract name begins with NUL.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its bytes in lower-case hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// `@name` for an abstract one, a path as it is; invalid UTF-8 as [`text::text`] has it.
impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_first() {
            Some((0, name)) => write!(f, "@{}", text::text(name).readable),
            _ => f.write_str(&text::text(&self.0).readable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abstract_path_and_unnamed() {
        let shown = |bytes: &[u8]| UnixAddress::new(bytes).map(|address| address.to_string());
        assert_eq!(shown(b"\0/containerd-shim"), Some("@/containerd-shim".to_owned()));
        assert_eq!(shown(b"/run/docker.sock\0"), Some("/run/docker.sock".to_owned()));
        assert_eq!(shown(b""), None);
        assert_eq!(shown(b"\0a\0b\xff"), Some("@a\0b\\xff".to_owned()));
    }

    #[test]
    fn hexadecimal_is_exact() {
        let address = UnixAddress::new(b"\0a\0").unwrap();
        assert!(address.is_abstract());
        assert_eq!(address.hex(), "006100");
    }
}
