//! The operations as one type: each kind by what it says of itself and of its documents.

use std::fmt;

use super::{Operation, Own, OwnFields};

/// What a row stands for: the file of a kind, and what is told of it.
macro_rules! kinds {
    ($($file:ident: $($kind:ident),+;)+) => {
        $(mod $file; pub use $file::{$($kind),+};)+
        operations! { $($($kind)+)+ }
    };
}

macro_rules! operations {
    ($($name:ident)+) => {
        /// Every operation hostnet tells.
        #[derive(Clone, Debug)]
        pub enum Operation { $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name)),+ }

        /// What only some kinds of events have in their documents.
        #[derive(serde::Serialize)]
        #[serde(untagged)]
        pub enum Own<'a> {
            $(#[doc = concat!("Of [`", stringify!($name), "`].")]
            $name(<$name as $crate::event::Documented>::Own<'a>),)+
            /// As they stand in a document.
            Unread($crate::event::OwnFields<'a>),
        }

        impl Operation {
            /// The rows of the fields that only some kinds have.
            pub const FIELDS: &'static [&'static [&'static [$crate::event::Field]]] =
                &[$(<$name as $crate::event::Documented>::FIELDS),+];

            /// Every `hostnet.operation`, some of them of several kinds.
            pub const NAMES: &'static [&'static [&'static str]] =
                &[$(<$name as $crate::event::Documented>::OPERATIONS),+];

            /// The operation as what it can say of itself.
            #[must_use]
            pub fn told(&self) -> &dyn $crate::event::Told {
                match self { $(Self::$name(inner) => inner),+ }
            }

            /// What its document has that those of other kinds have not.
            #[must_use]
            pub fn own<'a>(&'a self, fitted: $crate::event::Fitted<'a>) -> Own<'a> {
                match self { $(Self::$name(inner) => Own::$name(inner.own(fitted))),+ }
            }

            /// Whether its event says all that is known of the container.
            #[must_use]
            pub const fn describes_container(&self) -> bool {
                match self { $(Self::$name(_) => <$name as $crate::event::Documented>::DESCRIBES_CONTAINER),+ }
            }

            /// The same by `hostnet.operation`.
            #[must_use]
            pub fn name_describes_container(operation: &str) -> bool {
                false $(|| <$name as $crate::event::Documented>::DESCRIBES_CONTAINER
                    && <$name as $crate::event::Documented>::OPERATIONS.contains(&operation))+
            }

            /// Samples that kinds have.
            #[cfg(test)]
            pub fn samples() -> Vec<(Option<hostnet_abi::Socket>, Self)> {
                let mut all = Vec::new();
                $(for (socket, sample) in <$name as $crate::event::Documented>::samples() {
                    all.push((socket, sample.into()));
                })+
                all
            }

            /// The operation that a document says.
            ///
            /// # Errors
            /// When something of it is missing or nonsense, or it is of no kind that is known.
            pub fn read(common: &$crate::event::Common<'_>) -> Result<Self, $crate::event::NotOurs> {
                $(if <$name as $crate::event::Documented>::is_told_by(common) {
                    return <$name as $crate::event::Documented>::read(common.own.read()?, common).map(Self::from);
                })+
                Err($crate::event::NotOurs::of_kind(common.action_name))
            }
        }

        $(impl From<$name> for Operation {
            fn from(inner: $name) -> Self { Self::$name(inner) }
        })+
    };
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
