//! Containers entering and leaving the host's network namespace, and names
//! that came late.

use std::{borrow::Cow, fmt};

use super::{Action, Colour, Common, Documented, Field, Fitted, Info, NoFields, NotOurs, Told};

/// A container was first seen acting in the host's network namespace.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// The network mode the runtime declares; `None` when it is not known.
    pub declared: Option<String>,
}

impl Told for Joined {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::ContainerJoinedHostNetwork, &["start"], Colour::Dim)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uses the host's network")?;
        declared(f, self.declared.as_deref())
    }
}

impl Documented for Joined {
    const DESCRIBES_CONTAINER: bool = true;
    const OPERATIONS: &'static [&'static str] = &["join"];
    no_fields!();
    fn read(_: NoFields, common: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(Self { declared: common.declared.map(str::to_owned) })
    }
}

fn declared(f: &mut fmt::Formatter<'_>, mode: Option<&str>) -> fmt::Result {
    match mode {
        Some("host") => Ok(()),
        Some(mode) if !mode.is_empty() => write!(f, ", though its network mode is {mode}"),
        _ => write!(f, "; its network mode is not known yet"),
    }
}

part! {
    /// A container was in the host's network namespace when the agent started, whether or
    /// not it does anything there.
    #[derive(Default)]
    struct Present at "present" {
        /// The network mode the runtime declares; `None` when it is not known.
        #[serde(skip)]
        declared: Option<String>;
        is_agent: bool = Flag as "agent", "The container is the one that hostnet itself runs in.";
    }
}

impl Told for Present {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::ContainerInHostNetwork, &["info"], Colour::Dim)
    }
    fn kind(&self) -> &'static str {
        "state"
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "already used the host's network when hostnet started")?;
        if self.is_agent {
            return write!(f, "; hostnet itself runs in it");
        }
        declared(f, self.declared.as_deref())
    }
}

own!(OwnOfPresent<'a> { present: Cow<'a, Present> });

impl Documented for Present {
    const DESCRIBES_CONTAINER: bool = true;
    const OPERATIONS: &'static [&'static str] = &["present"];
    const FIELDS: &'static [&'static [Field]] = &[Self::ROWS];
    type Own<'a> = OwnOfPresent<'a>;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfPresent<'a> {
        OwnOfPresent { present: Cow::Borrowed(self) }
    }
    fn read(own: OwnOfPresent<'_>, common: &Common<'_>) -> Result<Self, NotOurs> {
        let declared = common.declared.map(str::to_owned);
        Ok(Self { declared, ..own.present.into_owned() })
    }
}

/// A container that was in the host's network namespace is gone.
#[derive(Clone, Copy, Debug)]
pub struct Left;

impl Told for Left {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::ContainerLeftHostNetwork, &["end"], Colour::Dim)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no longer uses the host's network")
    }
}

impl Documented for Left {
    const OPERATIONS: &'static [&'static str] = &["leave"];
    no_fields!();
    fn read(_: NoFields, _: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(Self)
    }
}

part! {
    /// The runtime named a container, or described it, after events of it had been
    /// told without.
    #[derive(Copy)]
    struct Identified at "identified" {
        events: u64 = Number, "How many earlier events had less of the container.";
    }
}

impl Told for Identified {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::ContainerIdentified, &["info"], Colour::Dim)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is now known by name; {} earlier events show only its id", self.events)
    }
}

own!(OwnOfIdentified<'a> { identified: Cow<'a, Identified> });

impl Documented for Identified {
    const DESCRIBES_CONTAINER: bool = true;
    const OPERATIONS: &'static [&'static str] = &["identify"];
    const FIELDS: &'static [&'static [Field]] = &[Self::ROWS];
    type Own<'a> = OwnOfIdentified<'a>;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfIdentified<'a> {
        OwnOfIdentified { identified: Cow::Borrowed(self) }
    }
    fn read(own: OwnOfIdentified<'_>, _: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(own.identified.into_owned())
    }
}
