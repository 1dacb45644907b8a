//! Which operations are seen on this kernel, by which hook, and which are not.

use std::collections::BTreeMap;

use hostnet_abi::{Hook, Set};
use serde::Serialize;

/// How far a hook got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum State {
    /// The canary's operation came back through it.
    Proven,
    /// It is attached, but nothing has come through it yet.
    Unproven(String),
    /// The kernel refused it.
    Refused(String),
    /// It was left out on purpose.
    Disabled(String),
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Proven => f.write_str("proven"),
            Self::Unproven(reason) => write!(f, "unproven: {reason}"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Disabled(reason) => write!(f, "disabled: {reason}"),
        }
    }
}

/// How the kernel refuses whatever it does not allow at all.
pub const NOT_PERMITTED: &str = "Operation not permitted";

/// The state of every hook of the chosen sets.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    hooks: BTreeMap<Hook, State>,
    instructions: BTreeMap<Hook, u32>,
    start: Vec<Row>,
}

/// One row of the statement.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The operation, for a person.
    pub operation: &'static str,
    /// What the program is attached to.
    pub hook: &'static str,
    /// The set it belongs to.
    pub set: &'static str,
    #[serde(flatten)]
    pub state: State,
    /// Instructions the verifier went through to accept the program, where the
    /// kernel says so (5.16).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u32>,
}

impl Coverage {
    /// Notes what became of a hook.
    pub fn set(&mut self, hook: Hook, state: State) {
        self.hooks.insert(hook, state);
    }

    /// Notes how long the verifier took over a hook's program.
    pub fn note_instructions(&mut self, hook: Hook, instructions: u32) {
        self.instructions.insert(hook, instructions);
    }

    /// Notes how far the sockets that existed at start can be shown.
    pub fn set_start(&mut self, operation: &'static str, by: &'static str, state: State) {
        self.start.push(Row { operation, hook: by, set: "start", state, instructions: None });
    }

    /// Whether every hook was proven.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.hooks.values().all(|state| *state == State::Proven)
    }

    /// Whether the kernel took this hook.
    #[must_use]
    pub fn is_attached(&self, hook: Hook) -> bool {
        let is_attached = |state: &State| matches!(state, State::Proven | State::Unproven(_));
        self.hooks.get(&hook).is_some_and(is_attached)
    }

    /// Hooks that are attached.
    pub fn attached(&self) -> impl Iterator<Item = Hook> {
        self.hooks.keys().copied().filter(|hook| self.is_attached(*hook))
    }

    /// Hooks that are not proven, the refused ones among them, but not those
    /// that were left out on purpose.
    pub fn unproven(&self) -> impl Iterator<Item = Hook> {
        let is_unproven = |state: &State| !matches!(state, State::Proven | State::Disabled(_));
        self.hooks.iter().filter(move |(_, state)| is_unproven(state)).map(|(hook, _)| *hook)
    }

    /// Whether anything of `set` is attached.
    #[must_use]
    pub fn has(&self, set: Set) -> bool {
        self.attached().any(|hook| hook.set() == set)
    }

    /// What is not seen, a line each: a set that was refused whole is one line.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (hook, state) in self.hooks.iter().filter(|(_, state)| **state != State::Proven) {
            let line = match (self.has(hook.set()), state) {
                (false, State::Refused(reason)) => self.refused(hook.set(), reason),
                (false, _) => format!("nothing of set {} is seen: {state}", hook.set().name()),
                (true, _) => {
                    format!("{} is not seen ({}): {state}", hook.sees(), hook.attach_point())
                }
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// What it means that the kernel refused all of a set.
    fn refused(&self, set: Set, reason: &str) -> String {
        let why = match set {
            Set::Families if reason.contains(NOT_PERMITTED) => {
                "this kernel does not allow fexit programs".to_owned()
            }
            _ => format!("this kernel refuses the programs of set {}: {reason}", set.name()),
        };
        let what = match set {
            Set::Families if self.has(Set::FirstUse) => {
                "unix, packet and netlink sockets are seen at first use only; the errno of a \
                 refused bind and the process that accepts are not seen"
            }
            Set::Families => {
                "unix, packet and netlink sockets, the errno of a refused bind and the process \
                 that accepts are not seen"
            }
            Set::FirstUse => "unix, packet and netlink sockets are not seen",
            Set::Inet | Set::Connect => "IP sockets are not seen",
            Set::Life => "containers that start are not seen",
        };
        format!("{why}: {what} (hostnet doctor)")
    }

    /// The statement, in the order of the hook table; what is asked at start comes last.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.hooks
            .iter()
            .map(|(hook, state)| Row {
                operation: hook.sees(),
                hook: hook.attach_point(),
                set: hook.set().name(),
                state: state.clone(),
                instructions: self.instructions.get(hook).copied(),
            })
            .chain(self.start.iter().cloned())
            .collect()
    }
}
