//! A cgroup bears the name of a container that is elsewhere.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Action, Cgroup, Colour, Common, ContainerName, Documented, Field, FieldKind, Fitted, Info,
    NotOurs, Owner, OwnerKind, Told, field,
};

/// The event's owner made the cgroup, as far as that is known; else it has it.
#[derive(Clone, Debug)]
pub struct NameSpoof {
    /// The cgroup.
    pub cgroup: Cgroup,
    /// The container id in its name.
    pub claimed: String,
    /// The container whose id that is.
    pub victim: Option<Arc<Owner>>,
}

impl Told for NameSpoof {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::NameSpoof, &["change"], Colour::Red)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let victim = self.victim.as_ref().map_or(&*self.claimed, |victim| victim.label());
        write!(
            f,
            "has cgroup {}, named like container {victim}, which runs in another cgroup",
            self.cgroup.path
        )
    }
}

/// `hostnet.spoof`.
#[derive(Serialize, Deserialize)]
pub struct SpoofFields<'a> {
    cgroup: Cow<'a, Cgroup>,
    container: ContainerName<'a>,
}

own!(OwnOfSpoof<'a> { spoof: SpoofFields<'a> });

const ROWS: &[Field] = &[
    field(
        "spoof.cgroup.id",
        FieldKind::Number,
        "cgroup-v2 id of a cgroup that bears another's name.",
    ),
    field("spoof.cgroup.path", FieldKind::Text, "Path of that cgroup."),
    field(
        "spoof.container.id",
        FieldKind::Text,
        "The id in its name, of a container that is elsewhere.",
    ),
    field("spoof.container.name", FieldKind::Text, "That container's name."),
];

impl Documented for NameSpoof {
    const OPERATIONS: &'static [&'static str] = &[Action::NameSpoof.name()];
    const FIELDS: &'static [&'static [Field]] = &[ROWS];
    type Own<'a> = OwnOfSpoof<'a>;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfSpoof<'a> {
        let name = self.victim.as_ref().map(|victim| victim.label().into());
        let container = ContainerName { id: self.claimed.as_str().into(), name };
        OwnOfSpoof { spoof: SpoofFields { cgroup: Cow::Borrowed(&self.cgroup), container } }
    }
    fn read(own: OwnOfSpoof<'_>, _: &Common<'_>) -> Result<Self, NotOurs> {
        let SpoofFields { cgroup, container } = own.spoof;
        let claimed = container.id.clone().into_owned();
        let victim = container.name.is_some();
        let victim =
            victim.then(|| Owner::named(OwnerKind::Container, Some(container), None).into());
        Ok(Self { cgroup: cgroup.into_owned(), claimed, victim })
    }
}
