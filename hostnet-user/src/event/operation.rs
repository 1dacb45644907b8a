//! The operations as one type: each kind by what it says of itself and of its documents.

use std::fmt;

use serde::Serialize;

use super::{
    Accept, Bind, CgroupMigration, Close, Common, Connect, ConnectOutcome, Datagram, DatagramClose,
    Documented, Exec, ExistingSocket, Exit, FamilySocket, Field, Finding, Fitted, Health,
    Identified, Joined, Left, Listen, ListenerClosed, MulticastJoin, NameSpoof, NetlinkBind,
    NetlinkRequest, NotOurs, OwnFields, PacketBind, Present, RawSocket, SocketFilter, Told, Unix,
};

macro_rules! operations {
    ($($name:ident),+ $(,)?) => {
        /// Every operation hostnet tells.
        #[derive(Clone, Debug)]
        pub enum Operation { $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name)),+ }

        /// What only some kinds of events have in their documents.
        #[derive(Serialize)]
        #[serde(untagged)]
        pub enum Own<'a> {
            $(#[doc = concat!("Of [`", stringify!($name), "`].")]
            $name(<$name as Documented>::Own<'a>),)+
            /// As they stand in a document.
            Unread(OwnFields<'a>),
        }

        impl Operation {
            /// The rows of the fields that only some kinds have.
            pub const FIELDS: &'static [&'static [&'static [Field]]] =
                &[$(<$name as Documented>::FIELDS),+];

            /// Every `hostnet.operation`, some of them of several kinds.
            pub const NAMES: &'static [&'static [&'static str]] =
                &[$(<$name as Documented>::OPERATIONS),+];

            /// The operation as what it can say of itself.
            #[must_use]
            pub fn told(&self) -> &dyn Told {
                match self { $(Self::$name(inner) => inner),+ }
            }

            /// What its document has that those of other kinds have not.
            #[must_use]
            pub fn own<'a>(&'a self, fitted: Fitted<'a>) -> Own<'a> {
                match self { $(Self::$name(inner) => Own::$name(inner.own(fitted))),+ }
            }

            /// Whether its event says all that is known of the container.
            #[must_use]
            pub const fn describes_container(&self) -> bool {
                match self { $(Self::$name(_) => <$name as Documented>::DESCRIBES_CONTAINER),+ }
            }

            /// The same by `hostnet.operation`.
            #[must_use]
            pub fn name_describes_container(operation: &str) -> bool {
                false $(|| <$name as Documented>::DESCRIBES_CONTAINER
                    && <$name as Documented>::OPERATIONS.contains(&operation))+
            }

            /// Samples that kinds have.
            #[cfg(test)]
            pub fn samples() -> Vec<(Option<hostnet_abi::Socket>, Self)> {
                let mut all = Vec::new();
                $(for (socket, sample) in <$name as Documented>::samples() {
                    all.push((socket, sample.into()));
                })+
                all
            }

            /// The operation that a document says.
            ///
            /// # Errors
            /// When something of it is missing or nonsense, or it is of no kind that is known.
            pub fn read(common: &Common<'_>) -> Result<Self, NotOurs> {
                $(if <$name as Documented>::is_told_by(common) {
                    return <$name as Documented>::read(common.own.read()?, common).map(Self::from);
                })+
                Err(NotOurs::of_kind(common.action_name))
            }
        }

        $(impl From<$name> for Operation {
            fn from(inner: $name) -> Self { Self::$name(inner) }
        })+
    };
}

operations! {
    Bind, Listen, Connect, ConnectOutcome, Accept, Close, ListenerClosed, Datagram, DatagramClose,
    RawSocket, FamilySocket, PacketBind, SocketFilter, NetlinkRequest, NetlinkBind, MulticastJoin, Unix,
    ExistingSocket, Exec, Exit, CgroupMigration, Present, Joined, Left, Identified, NameSpoof, Finding,
    Health,
}

impl Default for Own<'_> {
    fn default() -> Self {
        Self::Unread(OwnFields::default())
    }
}

impl<'a> Own<'a> {
    /// Those of a document.
    #[must_use]
    pub fn unread(self) -> OwnFields<'a> {
        if let Self::Unread(fields) = self { fields } else { OwnFields::default() }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().sentence(f)
    }
}
