//! The processes of a container as a tree, down from its first one.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use serde::Serialize;

use super::{Answer, Filter, History, Moment, ProcessRow, Time, processes::all};

/// A process and where it is in the tree.
#[derive(Clone, Debug, Serialize)]
pub struct TreeRow {
    /// Name of the container.
    pub container: String,
    /// Its full id.
    pub container_id: String,
    /// How many processes of the container are above it.
    pub depth: usize,
    /// The process' name, indented, for a person.
    pub tree: String,
    /// Id on the host.
    pub pid: u32,
    /// The parent's process id.
    pub parent_pid: Option<u32>,
    /// Name of its program.
    pub process: String,
    /// Path of its file.
    pub executable: Option<String>,
    /// Arguments.
    pub command_line: Option<String>,
    /// User id on the host.
    pub user: Option<String>,
    /// Its start.
    pub start: Option<Time>,
    /// Its end.
    pub end: Option<Time>,
    /// Exit status.
    pub status: Option<u32>,
    /// The signal that ended it.
    pub signal: Option<u32>,
    /// The same for one process of one boot of one host, and for no other.
    pub entity_id: String,
}

impl Answer for TreeRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("container", "CONTAINER"),
        ("pid", "PID"),
        ("tree", "PROCESS"),
        ("command_line", "COMMAND"),
        ("start", "START"),
        ("end", "END"),
        ("status", "STATUS"),
    ];

    fn moments(&self) -> Vec<Moment> {
        let what = format!("{} ran {} (pid {})", self.container, self.process, self.pid);
        self.start.map(|at| Moment::new(at, "Process Started", what)).into_iter().collect()
    }
}

/// The trees of the containers that are meant.
///
/// # Errors
/// When the history cannot be read, or has nobody like that.
pub fn tree(history: &History, filter: &Filter) -> Result<Vec<TreeRow>> {
    let owners = filter.owners(history)?;
    let mut by_owner = BTreeMap::<String, Vec<ProcessRow>>::new();
    for row in all(history, owners.as_ref(), filter.until)? {
        if row.end.is_none_or(|end| end >= filter.from()) {
            by_owner.entry(row.container_id.clone()).or_default().push(row);
        }
    }
    let mut rows = Vec::new();
    for processes in by_owner.into_values() {
        grow(&processes, &mut rows);
    }
    rows.truncate(filter.most());
    Ok(rows)
}

/// Parents before their children, each as deep as it is.
fn grow(processes: &[ProcessRow], to: &mut Vec<TreeRow>) {
    let by_entity: HashMap<&str, usize> =
        processes.iter().enumerate().map(|(at, row)| (row.entity_id.as_str(), at)).collect();
    let parent = |row: &ProcessRow| {
        let told = row.parent_entity_id.as_deref().and_then(|entity| by_entity.get(entity));
        told.copied().or_else(|| {
            // Without its identity: whoever had that id last before it began.
            let is_it = |one: &&ProcessRow| {
                Some(one.pid) == row.parent_pid
                    && one.entity_id != row.entity_id
                    && one.start <= row.start
            };
            let parent = processes.iter().filter(is_it).max_by_key(|one| one.start)?;
            by_entity.get(parent.entity_id.as_str()).copied()
        })
    };
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (at, row) in processes.iter().enumerate() {
        children.entry(parent(row)).or_default().push(at);
    }
    let mut seen = HashSet::new();
    let mut stack: Vec<(usize, usize)> = Vec::new();
    let push = |stack: &mut Vec<(usize, usize)>, of: Option<usize>, depth| {
        let children = children.get(&of).into_iter().flatten().rev();
        stack.extend(children.map(|child| (*child, depth)));
    };
    push(&mut stack, None, 0);
    while let Some((at, depth)) = stack.pop() {
        if seen.insert(at) {
            to.push(row(&processes[at], depth));
            push(&mut stack, Some(at), depth + 1);
        }
    }
}

fn row(of: &ProcessRow, depth: usize) -> TreeRow {
    let tree = match depth {
        0 => of.process.clone(),
        depth => format!("{}└ {}", "  ".repeat(depth - 1), of.process),
    };
    TreeRow {
        container: of.container.clone(),
        container_id: of.container_id.clone(),
        depth,
        tree,
        pid: of.pid,
        parent_pid: of.parent_pid,
        process: of.process.clone(),
        executable: of.executable.clone(),
        command_line: of.command_line.clone(),
        user: of.user.clone(),
        start: of.start,
        end: of.end,
        status: of.status,
        signal: of.signal,
        entity_id: of.entity_id.clone(),
    }
}
