//! Everything the pure stages are told, as one type: live, recorded, replayed.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};
use hostnet_abi::{Flow, FlowKey};
use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, IntoBytes};

use super::capture::Recorder;
use crate::{
    attribute::{Apart, Found, Policy, Redirects, RuntimeNews},
    event::{Health, Lost, PastFinding, Process, Reached, UserNames},
    format::ecs::Identity,
    judge::{Law, sigma::RuleText, surface::Network},
    text::json,
};

/// One input.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time is held, and most are records")]
pub enum Input {
    /// A record's bytes.
    Record(Vec<u8>),
    /// Counts of the UDP flows that the next record closes.
    Flows(Vec<(FlowKey, Flow)>),
    /// Anything that is not from the ring.
    World(World),
}

/// Inputs that are not from the ring.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum World {
    /// First input of a run: where and how it was made.
    Run {
        policy: Policy,
        identity: Identity,
        #[serde(default)]
        law: Box<Law>,
    },
    /// A cgroup found at start, or later where the record of its making was lost.
    Cgroup { id: u64, path: String },
    /// A process found in /proc.
    Process(Box<Process>),
    /// A process with namespaces of its own, found at start.
    Apart(Apart),
    /// A process' path in the cgroup-v1 hierarchies, on a host that has no other.
    V1Place { pid: u32, start_ns: u64, path: String },
    /// The sockets that existed at `boot_ns`, when the run began: known from now on, and
    /// told when [`Existing`](Self::Existing) comes. Those that listen have done so since
    /// `since_ns`, unless a record tells more.
    Snapshot { boot_ns: u64, since_ns: u64, sockets: Vec<Found> },
    /// These sockets existed at `boot_ns`, too; they and those of the snapshot are told.
    Existing { boot_ns: u64, sockets: Vec<Found> },
    /// Processes of containers that were in the host's network namespace at `boot_ns`.
    Present { boot_ns: u64, pids: Vec<u32> },
    /// What the host's packet filters may redirect, from now on.
    Redirects(Redirects),
    /// UDP flows that the kernel still counts, from before the agent: socket and peer.
    OlderFlows { flows: Vec<(u64, SocketAddr)> },
    /// The sockets there are at `boot_ns`, asked anew after records were lost.
    Listeners { boot_ns: u64, sockets: Vec<Found> },
    /// The host's own addresses from now on, the lowest and the highest port that its
    /// kernel chooses, and the rest of its network.
    Addresses {
        addresses: Vec<IpAddr>,
        chosen_ports: (u16, u16),
        #[serde(default)]
        network: Network,
    },
    /// What images reached while other runs judged.
    Reached(Vec<Reached>),
    /// What other runs have found, so that it is not repeated too soon.
    Findings(Vec<PastFinding>),
    /// The user's rules from now on.
    Rules(Vec<RuleText>),
    /// What the host calls its users from now on.
    Users(UserNames),
    /// Ports of listeners that waited for theirs, by cookie.
    ListeningPorts(Vec<(u64, u16)>),
    /// News from the container runtime at `boot_ns`.
    Runtime { boot_ns: u64, news: RuntimeNews },
    /// Both clocks at one moment, and the time up to which records have been taken
    /// where that is earlier: what waits for a record waits by that.
    Clock {
        boot_ns: u64,
        wall_ns: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken_ns: Option<u64>,
    },
    /// Something about the agent at `boot_ns`.
    Health { boot_ns: u64, health: Health },
    /// Acts beyond their owners' budgets were counted between two boot-clock times;
    /// those apart that carry state, for tables may be wrong for want of them.
    Suppressed { from_ns: u64, to_ns: u64, by: Vec<Lost>, of_state: Vec<Lost> },
    /// Records were lost in `place` between two boot-clock times.
    Lost { place: String, from_ns: u64, to_ns: u64, by: Vec<Lost> },
}

impl World {
    /// The host's network from now on.
    #[must_use]
    pub fn network(network: Network, chosen_ports: (u16, u16)) -> Self {
        let mut addresses: Vec<IpAddr> =
            network.addresses.iter().map(|address| address.ip).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Self::Addresses { addresses, chosen_ports, network }
    }
}

const TAG_RECORD: u8 = 0;
const TAG_FLOWS: u8 = 1;
const TAG_WORLD: u8 = 2;

/// Writes an input as a frame.
///
/// # Errors
/// When the recording cannot be written.
pub fn record(recorder: &mut Recorder, input: InputRef<'_>) -> Result<()> {
    match input {
        InputRef::Record(bytes) => recorder.frame(TAG_RECORD, bytes),
        InputRef::Flows(flows) => {
            let bytes: Vec<u8> = flows
                .iter()
                .flat_map(|(key, flow)| [key.as_bytes(), flow.as_bytes()].concat())
                .collect();
            recorder.frame(TAG_FLOWS, &bytes)
        }
        InputRef::World(world) => {
            let mut bytes = Vec::new();
            json::write(&mut bytes, world)?;
            recorder.frame(TAG_WORLD, &bytes)
        }
    }
}

/// An input that is borrowed, for recording.
#[derive(Clone, Copy)]
pub enum InputRef<'a> {
    /// As [`Input::Record`].
    Record(&'a [u8]),
    /// As [`Input::Flows`].
    Flows(&'a [(FlowKey, Flow)]),
    /// As [`Input::World`].
    World(&'a World),
}

/// Reads an input from a frame.
///
/// # Errors
/// When the frame is not one that [`record`] writes.
pub fn from_frame(tag: u8, bytes: Vec<u8>) -> Result<Input> {
    match tag {
        TAG_RECORD => Ok(Input::Record(bytes)),
        TAG_FLOWS => flows(&bytes).map(Input::Flows),
        TAG_WORLD => {
            let world = serde_json::from_slice(&bytes).context("the recording is damaged")?;
            Ok(Input::World(world))
        }
        tag => bail!("the recording has a frame of unknown kind {tag}"),
    }
}

fn flows(bytes: &[u8]) -> Result<Vec<(FlowKey, Flow)>> {
    let size = size_of::<FlowKey>() + size_of::<Flow>();
    let damaged = "the recording is damaged: a flow is cut off";
    bytes
        .chunks(size)
        .map(|chunk| {
            let (key, rest) = FlowKey::read_from_prefix(chunk).ok().context(damaged)?;
            let flow = Flow::read_from_bytes(rest).ok().context(damaged)?;
            Ok((key, flow))
        })
        .collect()
}
