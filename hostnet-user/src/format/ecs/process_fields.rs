//! A process in documents: `process`, and `hostnet.process` for what ECS has no field for.

use serde::{Deserialize, Serialize};

use crate::event::{Text, is_false};

/// `process`. Of a process of which nothing is known it has the thread that acted.
#[derive(Default, Serialize, Deserialize)]
pub struct ProcessFields<'a> {
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    pub args: Vec<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub command_line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub entity_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub executable: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub exit_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub group: Option<Id<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub parent: Option<ParentFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub start: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub user: Option<Id<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub working_directory: Option<Text<'a>>,
}

/// `process.parent`: more than its id when it is known.
#[derive(Serialize, Deserialize)]
pub struct ParentFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub entity_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub executable: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub name: Option<Text<'a>>,
    pub pid: u32,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub start: Option<Text<'a>>,
}

/// A user or group.
#[derive(Serialize, Deserialize)]
pub struct Id<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
}

#[derive(Serialize, Deserialize)]
pub struct ThreadId {
    pub id: u32,
}

/// `hostnet.process`. Flags are written where they are true.
#[derive(Serialize, Deserialize)]
pub struct OwnProcess<'a> {
    #[serde(default, borrow)]
    pub source: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub called: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub called_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub file: Option<FileFields<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub executable_outside: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub executable_truncated: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub working_directory_outside: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub working_directory_truncated: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub args_truncated: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    pub ancestors: Vec<AncestorFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub name_hex: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub executable_hex: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub called_hex: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub working_directory_hex: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub args_hex: Option<Vec<Text<'a>>>,
}

/// The file that it executes.
#[derive(Serialize, Deserialize)]
pub struct FileFields<'a> {
    pub inode: u64,
    #[serde(default, borrow)]
    pub device: Text<'a>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub memfd: bool,
}

/// Who made it, or one of those.
#[derive(Serialize, Deserialize)]
pub struct AncestorFields<'a> {
    pub pid: u32,
    #[serde(default, borrow)]
    pub name: Text<'a>,
    #[serde(default, borrow)]
    pub executable: Text<'a>,
}

/// `peer.process`: which one, in a few words.
#[derive(Serialize, Deserialize)]
pub struct ShortFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub entity_id: Option<String>,
    #[serde(default, borrow)]
    pub executable: Text<'a>,
    #[serde(default, borrow)]
    pub name: Text<'a>,
    pub pid: u32,
}
