//! What class of event of the Open Cybersecurity Schema Framework (OCSF) an action is, by
//! meaning; format/ocsf/class.rs has the numbers and names.

/// A class of OCSF 1.8.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Something a process did with a socket.
    Network,
    /// A process began or ended.
    Process,
    /// Something that should not be.
    Finding,
    /// A container entered or left the host's network namespace.
    State,
    /// What the runtime told of a container, later than its first events.
    Inventory,
    /// A socket that was there before the agent, as the kernel listed it.
    Evidence,
    /// The agent about itself.
    Lifecycle,
    /// The agent about a failure of its own or of what it depends on.
    Error,
}

/// What happened, within a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Always this `activity_id`.
    Is(u8),
    /// The class has no word for it: 99, and `activity_name` says what.
    Other,
    /// A connection was attempted or accepted: as it ended.
    Connect,
    /// A connection is over: as it ended.
    Close,
    /// An address was taken: a UDP server thereby listens.
    Bind,
}
