//! Fields of events about cgroups: a process that went to another one, and a name that
//! claims a container.

use serde_json::{Value, json};

use super::parts::cgroup_value;
use crate::{
    event::{CgroupMigration, NameSpoof},
    text,
};

pub fn migration_fields(migration: &CgroupMigration) -> Value {
    let CgroupMigration { from, to, pid, by } = migration;
    let mut mover = json!({ "pid": by.pid, "owner": by.owner.kind });
    if let Some(process) = &by.process {
        mover["name"] = text::text(&process.name).readable.into();
    }
    if let Some(id) = &by.owner.container_id {
        mover["container"] = json!({ "id": id, "name": by.owner.label() });
    }
    json!({
        "from": cgroup_value(from.id, &from.path),
        "to": cgroup_value(to.id, &to.path),
        "pid": pid,
        "by": mover,
    })
}

pub fn spoof_fields(spoof: &NameSpoof) -> Value {
    let NameSpoof { cgroup, claimed, victim } = spoof;
    let mut victim_value = json!({ "id": claimed });
    if let Some(victim) = victim {
        victim_value["name"] = victim.label().into();
    }
    json!({ "cgroup": cgroup_value(cgroup.id, &cgroup.path), "container": victim_value })
}
