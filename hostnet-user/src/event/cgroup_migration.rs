//! A container's process was moved out of its container's cgroup, or back.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Action, Cgroup, Colour, Common, ContainerName, Documented, Field, FieldKind, Fitted, Info,
    NotOurs, Owner, OwnerKind, Process, Told, field,
};
use crate::text;

/// The event's owner is the one the process belongs to, wherever it is.
#[derive(Clone, Debug)]
pub struct CgroupMigration {
    /// Where it was.
    pub from: Cgroup,
    /// Where it is now.
    pub to: Cgroup,
    /// The process that was moved.
    pub pid: u32,
    /// Who moved it.
    pub by: Mover,
}

/// The process that asked the kernel to move another, or itself.
#[derive(Clone, Debug)]
pub struct Mover {
    /// Its process id.
    pub pid: u32,
    /// The process, when it is known.
    pub process: Option<Arc<Process>>,
    /// Whose it is.
    pub owner: Arc<Owner>,
}

impl Told for CgroupMigration {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::CgroupMigration, &["change"], Colour::Red)
    }
    fn short(&self) -> &'static str {
        "cgroup-move"
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, pid, by } = self;
        write!(f, "process {pid} moved from cgroup {} to {}", from.path, to.path)?;
        if by.pid == *pid {
            return Ok(());
        }
        write!(f, ", moved by {} ", by.owner.label())?;
        if let Some(process) = &by.process {
            write!(f, "process {} ", text::text(&process.name).readable)?;
        }
        write!(f, "(pid {})", by.pid)
    }
}

/// `hostnet.migration`.
#[derive(Serialize, Deserialize)]
pub struct MigrationFields<'a> {
    by: MoverFields<'a>,
    from: Cow<'a, Cgroup>,
    pid: u32,
    to: Cow<'a, Cgroup>,
}

/// Who moved it.
#[derive(Serialize, Deserialize)]
pub struct MoverFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<ContainerName<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    owner: OwnerKind,
    pid: u32,
}

own!(OwnOfMigration<'a> { migration: MigrationFields<'a> });

const ROWS: &[Field] = &[
    field("migration.from.id", FieldKind::Number, "cgroup-v2 id of where the process was."),
    field("migration.from.path", FieldKind::Text, "Path of that cgroup."),
    field("migration.to.id", FieldKind::Number, "cgroup-v2 id of where it is now."),
    field("migration.to.path", FieldKind::Text, "Path of that cgroup."),
    field(
        "migration.pid",
        FieldKind::Number,
        "The process that was moved, in the host's pid namespace.",
    ),
    field(
        "migration.by.pid",
        FieldKind::Number,
        "The process that moved it; the same when it moved itself.",
    ),
    field("migration.by.name", FieldKind::Text, "That process' name."),
    field("migration.by.owner", FieldKind::Word(OwnerKind::NAMES), "Whose that process is."),
    field("migration.by.container", FieldKind::Free, "That process' container."),
];

impl Documented for CgroupMigration {
    const OPERATIONS: &'static [&'static str] = &[Action::CgroupMigration.name()];
    const FIELDS: &'static [&'static [Field]] = &[ROWS];
    type Own<'a> = OwnOfMigration<'a>;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfMigration<'a> {
        let Mover { pid, process, owner } = &self.by;
        let by = MoverFields {
            container: owner.container_name(),
            name: process.as_ref().map(|process| text::text(&process.name).readable),
            owner: owner.kind,
            pid: *pid,
        };
        let (from, to) = (Cow::Borrowed(&self.from), Cow::Borrowed(&self.to));
        OwnOfMigration { migration: MigrationFields { by, from, pid: self.pid, to } }
    }
    fn read(own: OwnOfMigration<'_>, _: &Common<'_>) -> Result<Self, NotOurs> {
        let MigrationFields { by, from, pid, to } = own.migration;
        let MoverFields { container, name, owner, pid: by } = by;
        let process = |name: String| Process { pid: by, name: name.into(), ..Process::default() };
        let by = Mover {
            pid: by,
            process: name.map(process).map(Into::into),
            owner: Owner::named(owner, container, None).into(),
        };
        Ok(Self { from: from.into_owned(), to: to.into_owned(), pid, by })
    }
}
