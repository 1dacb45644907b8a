//! The versions of OCSF that events are written in, and what the older one lacks.

use crate::event::{Activity, Class};

/// A version of OCSF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.1.0, of 2024: what some receivers know, such as Amazon Security Lake.
    V1_1,
    /// 1.8.0.
    V1_8,
}

impl Version {
    /// Attributes and objects that came after 1.1.0.
    pub const NEWER: [&str; 15] = [
        "ancestry",
        "boot_uid",
        "community_uid",
        "container.tags",
        "evidences.container",
        "hw_info.cpu_architecture",
        "is_alert",
        "is_deleted",
        "is_src_dst_assignment_known",
        "kernel_release",
        "observation_point_id",
        "parent_process.path",
        "ptid",
        "reporter",
        "working_directory",
    ];

    /// All of them.
    pub const ALL: [Self; 2] = [Self::V1_1, Self::V1_8];

    /// Its number.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Self::V1_1 => "1.1.0",
            Self::V1_8 => "1.8.0",
        }
    }

    /// Whether events have an attribute at this path.
    pub fn has(self, path: &str) -> bool {
        if self == Self::V1_8 {
            return true;
        }
        let path = format!(".{path}.");
        !Self::NEWER.iter().any(|newer| path.contains(&format!(".{newer}.")))
    }

    /// The class and activity that stand for these.
    #[must_use]
    pub const fn class(self, class: Class, activity: Activity) -> (Class, Activity) {
        match (self, class) {
            (Self::V1_1, Class::Evidence) => (Class::Network, Activity::Other),
            (Self::V1_1, Class::Error) => (Class::Lifecycle, Activity::Other),
            _ => (class, activity),
        }
    }

    /// The activity that stands for this one.
    pub const fn activity(self, class: Class, id: u8) -> u8 {
        match (self, class, id) {
            // Listen.
            (Self::V1_1, Class::Network, 7) => 99,
            _ => id,
        }
    }

    /// The type of an executable file; before there was one, of any regular file.
    pub const fn executable(self) -> &'static str {
        match self {
            Self::V1_1 => "1",
            Self::V1_8 => "8",
        }
    }

    /// Whether a network activity has both its ends, known or not.
    pub const fn needs_both_ends(self) -> bool {
        matches!(self, Self::V1_1)
    }
}
