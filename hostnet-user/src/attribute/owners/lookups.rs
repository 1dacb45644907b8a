//! What a record needs to be understood that is not in it: looked up by those who
//! feed this stage (`agent/`), and given before the record. Plain data.

/// Who is charged for looking up what a record lacks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// A container, in whichever of its cgroups.
    Container(String),
    /// Another cgroup.
    Cgroup(u64),
}

/// What is to be looked up before a record is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookups {
    /// The processes it names of which nothing is known.
    pub processes: [Option<u32>; 2],
    /// Its process, whose cgroup is not known: that it was made is not told where the
    /// record of it was lost.
    pub cgroup: Option<u32>,
    /// Its process, whose path in the v1 hierarchies is not known or may have changed,
    /// where these are all there is.
    pub place: Option<u32>,
}
