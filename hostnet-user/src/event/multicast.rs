//! IP multicast groups that sockets join.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use super::{Action, Told};

/// A socket joined a multicast group: it receives what anybody on the link sends there.
#[derive(Clone, Copy, Debug)]
pub struct MulticastJoin {
    /// Where the socket is bound; `None` when it is not yet.
    pub local: Option<SocketAddr>,
    /// The group.
    pub group: IpAddr,
    /// The only sender that it asked for; `None` for any.
    pub source: Option<IpAddr>,
    /// Index of the interface; `None` when the kernel chose it by its routes and did not
    /// say which.
    pub interface: Option<u32>,
}

impl Told for MulticastJoin {
    fn operation(&self) -> &'static str {
        "multicast-join"
    }
    fn action(&self) -> Action {
        Action::JoinedMulticastGroup
    }
    fn types(&self) -> &'static [&'static str] {
        &["info"]
    }
    fn local(&self) -> Option<SocketAddr> {
        self.local
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "joined multicast group {}", self.group)?;
        if let Some(source) = self.source {
            write!(f, " for what {source} sends")?;
        }
        if let Some(interface) = self.interface {
            write!(f, " on interface {interface}")?;
        }
        match self.local {
            Some(local) => write!(f, " with the socket on port {}", local.port()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Operation;

    #[test]
    fn the_sentence_says_what_is_known() {
        let group = "239.255.255.250".parse().unwrap();
        let join = MulticastJoin { local: None, group, source: None, interface: None };
        let said = |join: MulticastJoin| Operation::from(join).to_string();
        assert_eq!(said(join), "joined multicast group 239.255.255.250");
        let local = Some("0.0.0.0:1900".parse().unwrap());
        let source = Some("192.0.2.1".parse().unwrap());
        assert_eq!(
            said(MulticastJoin { local, source, interface: Some(2), ..join }),
            "joined multicast group 239.255.255.250 for what 192.0.2.1 sends on interface 2 with \
             the socket on port 1900"
        );
    }
}
