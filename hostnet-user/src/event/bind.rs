//! A bind: asked for, and given or refused.

use std::{borrow::Cow, fmt, net::SocketAddr};

use hostnet_abi::reuse;
use serde_json::value::RawValue;

use super::{
    Action, Colour, Common, Documented, Field, Fitted, Info, NotOurs, Outcome, PeerParty, Scope,
    Told, canonical, sharing,
};
use crate::event::errno;

/// `bind(2)`.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The address asked for; `None` when the request was not seen.
    pub requested: Option<SocketAddr>,
    /// The address given; the requested one when the kernel refused.
    pub local: SocketAddr,
    /// Bits of [`hostnet_abi::reuse`].
    pub reuse: u32,
    /// Whether the kernel gave it; the errno of a refusal needs the `families` set.
    pub outcome: Outcome,
    /// Others whose sockets have the same port at an address of this one's.
    pub shares_port_with: Vec<PeerParty>,
}

impl Bind {
    /// Who can reach it.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::of(self.local)
    }

    /// `SO_REUSEADDR`, `SO_REUSEPORT`, `IPV6_V6ONLY`.
    #[must_use]
    pub const fn options(&self) -> (bool, bool, bool) {
        (
            self.reuse & reuse::ADDRESS != 0,
            self.reuse & reuse::PORT != 0,
            self.reuse & reuse::V6_ONLY != 0,
        )
    }
}

impl Told for Bind {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::BoundSocket, &["start"], Colour::Yellow)
    }
    fn shares_port_with(&self) -> &[PeerParty] {
        &self.shares_port_with
    }
    fn outcome(&self) -> Outcome {
        self.outcome
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = canonical(self.local);
        match self.outcome {
            Outcome::Success => {
                write!(f, "bound {local}{}", self.scope().phrase())?;
                sharing(f, &self.shares_port_with)
            }
            Outcome::Failure(errno) => {
                write!(f, "failed to bind {local}")?;
                errno::suffix(f, errno)
            }
            Outcome::Unknown => write!(f, "asked to bind {local}, result unknown"),
        }
    }
}

part! {
    /// `hostnet.bind`.
    struct BindFields<'a> at "bind" {
        #[serde(skip_deserializing)]
        scope: Option<Scope> = Word(Scope::NAMES), "Who can reach the address.";
        #[serde(skip_serializing_if = "Option::is_none")]
        requested_port: Option<u16> = Number, "The port asked for; 0 lets the kernel choose.";
        #[serde(default)]
        reuse_address: bool = Flag, "`SO_REUSEADDR` was set.";
        #[serde(default)]
        reuse_port: bool = Flag, "`SO_REUSEPORT` was set.";
        #[serde(default)]
        v6_only: bool = Flag, "`IPV6_V6ONLY` was set.";
        #[serde(default, skip_serializing_if = "<[Box<RawValue>]>::is_empty")]
        shares_port_with: Cow<'a, [Box<RawValue>]> = Objects, "Other owners whose sockets have this port at one of the socket's addresses: what was theirs may reach it, or the other way round.";
    }
}

own!(OwnOfBind<'a> { bind: BindFields<'a> });

impl Documented for Bind {
    const OPERATIONS: &'static [&'static str] = &["bind"];
    const FIELDS: &'static [&'static [Field]] = &[BindFields::ROWS];
    type Own<'a> = OwnOfBind<'a>;
    fn own<'a>(&'a self, fitted: Fitted<'a>) -> OwnOfBind<'a> {
        let (reuse_address, reuse_port, v6_only) = self.options();
        let bind = BindFields {
            scope: Some(self.scope()),
            requested_port: self.requested.map(|requested| requested.port()),
            reuse_address,
            reuse_port,
            v6_only,
            shares_port_with: fitted.sharing.into(),
        };
        OwnOfBind { bind }
    }
    fn read(own: OwnOfBind<'_>, common: &Common<'_>) -> Result<Self, NotOurs> {
        let OwnOfBind { bind: fields } = own;
        let local = common.local()?;
        let flags = [
            (fields.reuse_address, reuse::ADDRESS),
            (fields.reuse_port, reuse::PORT),
            (fields.v6_only, reuse::V6_ONLY),
        ];
        let set = flags.into_iter().filter(|(is_set, _)| *is_set);
        Ok(Self {
            requested: fields.requested_port.map(|port| SocketAddr::new(local.ip(), port)),
            local,
            reuse: set.fold(0, |all, (_, bit)| all | bit),
            outcome: common.outcome()?,
            shares_port_with: common
                .parties("hostnet.bind.shares_port_with", &fields.shares_port_with)?,
        })
    }
}
