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
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Proven => f.write_str("proven"),
            Self::Unproven(reason) => write!(f, "unproven: {reason}"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
        }
    }
}

/// The state of every hook of the chosen sets.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    hooks: BTreeMap<Hook, State>,
}

/// One row of the statement.
#[derive(Serialize)]
pub struct Row {
    /// The operation, for a person.
    pub operation: &'static str,
    /// What the program is attached to.
    pub hook: &'static str,
    /// The set it belongs to.
    pub set: &'static str,
    #[serde(flatten)]
    pub state: State,
}

impl Coverage {
    /// Notes what became of a hook.
    pub fn set(&mut self, hook: Hook, state: State) {
        self.hooks.insert(hook, state);
    }

    /// Whether every hook was proven.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.hooks.values().all(|state| *state == State::Proven)
    }

    /// Hooks that are not proven.
    pub fn unproven(&self) -> impl Iterator<Item = Hook> {
        self.hooks.iter().filter(|(_, state)| **state != State::Proven).map(|(hook, _)| *hook)
    }

    /// Whether anything of `set` is attached.
    #[must_use]
    pub fn has(&self, set: Set) -> bool {
        self.hooks
            .iter()
            .any(|(hook, state)| hook.set() == set && !matches!(state, State::Refused(_)))
    }

    /// The statement, in the order of the hook table.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.hooks
            .iter()
            .map(|(hook, state)| Row {
                operation: hook.sees(),
                hook: hook.attach_point(),
                set: hook.set().name(),
                state: state.clone(),
            })
            .collect()
    }
}
