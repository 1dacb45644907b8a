//! Owners and containers in documents: `hostnet.owner` and the like, `container`, and what
//! is declared of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Cgroup, Confidence, Method, OwnerKind, Text, is_false};

/// `hostnet.owner`; of one that only made the socket with its attribution.
#[derive(Clone, Serialize, Deserialize)]
pub struct OwnerFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
    pub cgroup: Option<Cgroup>,
    pub kind: OwnerKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<Cgroup>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<String>,
}

/// `hostnet.attribution`.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Attribution {
    pub confidence: Confidence,
    pub method: Method,
}

/// `hostnet.netns`.
#[derive(Default, Serialize, Deserialize)]
pub struct Netns<'a> {
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub declared: Option<Text<'a>>,
    pub inode: Option<u32>,
    #[serde(skip_deserializing)]
    pub is_host: bool,
}

/// `container`: its id and runtime alone when the runtime has not said anything.
#[derive(Default, Serialize, Deserialize)]
pub struct ContainerFields<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub image: Option<Image<'a>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub runtime: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContext>,
}

#[derive(Serialize, Deserialize)]
pub struct SecurityContext {
    #[serde(default)]
    pub privileged: bool,
}

#[derive(Serialize, Deserialize)]
pub struct Image<'a> {
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub hash: Option<Hash<'a>>,
    #[serde(default, borrow)]
    pub name: Text<'a>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    pub tag: Vec<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
pub struct Hash<'a> {
    #[serde(default, borrow)]
    pub all: Vec<Text<'a>>,
}

/// `hostnet.container`: what the runtime declares and ECS has no field for. Nothing before
/// an inspect.
#[derive(Default, Serialize, Deserialize)]
pub struct Declared<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub created: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_infra: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_cut: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub network_mode: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub restart_policy: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub user: Option<Text<'a>>,
}

/// `hostnet.compose`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compose<'a> {
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub project: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub service: Option<Text<'a>>,
}

/// `orchestrator`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orchestrator<'a> {
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub namespace: Option<Text<'a>>,
    #[serde(borrow)]
    pub resource: Resource<'a>,
    #[serde(rename = "type", borrow)]
    pub kind: Text<'a>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource<'a> {
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(rename = "type", skip_deserializing)]
    pub kind: &'static str,
}
