//! A TCP socket that listens.

use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, net::SocketAddr};

use super::{
    Action, Colour, Common, Documented, Field, Fitted, Info, NotOurs, PeerParty, Scope, Told,
    canonical, sharing,
};

/// `listen(2)`.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Where it listens; port 0 when the kernel chose it after this point.
    pub local: SocketAddr,
    /// Length of the accept queue that was asked for.
    pub backlog: u32,
    /// Others whose sockets have the same port at an address of this one's.
    pub shares_port_with: Vec<PeerParty>,
}

impl Told for Listen {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::ListenForConnections, &["start"], Colour::Yellow)
    }
    fn shares_port_with(&self) -> &[PeerParty] {
        &self.shares_port_with
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listens on {}", canonical(self.local))?;
        sharing(f, &self.shares_port_with)
    }
}

part! {
    /// `hostnet.listen`; of a unix socket the backlog alone.
    struct ListenFields<'a> at "listen" {
        backlog: u32 = Number, "Length of the accept queue that was asked for.";
        #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
        scope: Option<Scope> = Word(Scope::NAMES), "Who can reach the address.";
        #[serde(default, skip_serializing_if = "<[Box<RawValue>]>::is_empty")]
        shares_port_with: Cow<'a, [Box<RawValue>]> = Objects, "As `bind.shares_port_with`.";
    }
}

own!(OwnOfListen<'a> { listen: ListenFields<'a> });

impl Documented for Listen {
    const OPERATIONS: &'static [&'static str] = &["listen"];
    const FIELDS: &'static [&'static [Field]] = &[ListenFields::ROWS];
    type Own<'a> = OwnOfListen<'a>;
    fn own<'a>(&'a self, fitted: Fitted<'a>) -> OwnOfListen<'a> {
        let scope = Some(Scope::of(self.local));
        let shares_port_with = fitted.sharing.into();
        OwnOfListen { listen: ListenFields { backlog: self.backlog, scope, shares_port_with } }
    }
    fn read(own: OwnOfListen<'_>, common: &Common<'_>) -> Result<Self, NotOurs> {
        let OwnOfListen { listen: ListenFields { backlog, shares_port_with, .. } } = own;
        let shares_port_with =
            common.parties("hostnet.listen.shares_port_with", &shares_port_with)?;
        Ok(Self { local: common.local()?, backlog, shares_port_with })
    }
}
