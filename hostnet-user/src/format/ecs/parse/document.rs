//! A document as it is read: what everything else in this folder looks at. Parts that
//! many documents share stay text until they turn out to be new.

use std::{borrow::Cow, net::IpAddr};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::NotOurs;
use crate::{
    event::{NameSource, SentToPeer, SocketState, Surface},
    format::ecs::Identity,
};

pub type Text<'a> = Cow<'a, str>;

#[derive(Deserialize)]
pub struct Document<'a> {
    #[serde(rename = "@timestamp", borrow)]
    pub timestamp: Text<'a>,
    #[serde(borrow)]
    pub message: Option<Text<'a>>,
    pub event: EventFields<'a>,
    pub agent: Option<&'a RawValue>,
    pub host: Option<&'a RawValue>,
    pub process: Option<&'a RawValue>,
    pub user: Option<User<'a>>,
    pub container: Option<&'a RawValue>,
    pub orchestrator: Option<&'a RawValue>,
    pub network: Option<Network<'a>>,
    pub source: Option<End>,
    pub destination: Option<End>,
    pub rule: Option<&'a RawValue>,
    pub threat: Option<&'a RawValue>,
    pub hostnet: Hostnet<'a>,
}

#[derive(Deserialize)]
pub struct EventFields<'a> {
    pub id: Uuid,
    pub sequence: Option<u64>,
    #[serde(borrow)]
    pub module: Option<Text<'a>>,
    #[serde(borrow)]
    pub provider: Option<Text<'a>>,
    #[serde(borrow)]
    pub action: Text<'a>,
    #[serde(borrow)]
    pub outcome: Option<Text<'a>>,
    #[serde(borrow)]
    pub reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub created: Option<Text<'a>>,
    pub duration: Option<u64>,
    #[serde(borrow)]
    pub start: Option<Text<'a>>,
    #[serde(borrow)]
    pub end: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub struct User<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub struct Network<'a> {
    #[serde(borrow)]
    pub direction: Option<Text<'a>>,
    #[serde(borrow)]
    pub iana_number: Option<Text<'a>>,
}

/// `source` or `destination`.
#[derive(Deserialize)]
pub struct End {
    pub bytes: Option<u64>,
}

/// `hostnet.local` and the like.
#[derive(Deserialize)]
pub struct Side<'a> {
    pub ip: Option<IpAddr>,
    #[serde(default)]
    pub port: u16,
    pub mapped: Option<IpAddr>,
    #[serde(borrow)]
    pub name_hex: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub struct SocketFields<'a> {
    pub cookie: u64,
    #[serde(borrow)]
    pub family: Text<'a>,
    #[serde(rename = "type", borrow)]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub protocol: Text<'a>,
    pub protocol_number: Option<u32>,
    pub errno: Option<u16>,
}

#[derive(Deserialize)]
pub struct Hostnet<'a> {
    #[serde(borrow)]
    pub operation: Text<'a>,
    pub amends: Option<Uuid>,
    #[serde(borrow)]
    pub local: Option<Side<'a>>,
    #[serde(borrow)]
    pub remote: Option<Side<'a>>,
    #[serde(borrow)]
    pub socket: Option<SocketFields<'a>>,
    #[serde(borrow)]
    pub netns: Option<Netns<'a>>,
    pub owner: Option<&'a RawValue>,
    pub attribution: Option<&'a RawValue>,
    pub creator: Option<&'a RawValue>,
    pub creator_container: Option<&'a RawValue>,
    pub container: Option<&'a RawValue>,
    pub compose: Option<&'a RawValue>,
    pub process: Option<&'a RawValue>,
    pub user: Option<OwnUser>,
    pub peer: Option<&'a RawValue>,
    #[serde(borrow)]
    pub bind: Option<Bind<'a>>,
    #[serde(borrow)]
    pub listen: Option<Listen<'a>>,
    pub existing: Option<Existing>,
    #[serde(borrow)]
    pub rewritten_to: Option<Side<'a>>,
    #[serde(borrow)]
    pub udp: Option<Udp<'a>>,
    pub packet: Option<Packet>,
    pub filter: Option<Filter>,
    pub netlink: Option<Netlink>,
    pub multicast: Option<Multicast>,
    pub exit: Option<Exit>,
    pub present: Option<Present>,
    pub identified: Option<Identified>,
    pub migration: Option<&'a RawValue>,
    pub spoof: Option<&'a RawValue>,
    pub surface: Option<SurfaceFields>,
    pub finding: Option<&'a RawValue>,
    pub health: Option<&'a RawValue>,
    pub loss: Option<&'a RawValue>,
    pub time: Time,
}

#[derive(Deserialize)]
pub struct Netns<'a> {
    pub inode: Option<u32>,
    #[serde(borrow)]
    pub declared: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub struct OwnUser {
    pub name_source: Option<NameSource>,
}

#[derive(Deserialize)]
pub struct SurfaceFields {
    pub target: Option<Surface>,
}

#[derive(Deserialize)]
pub struct Time {
    pub boot_ns: u64,
}

#[derive(Deserialize)]
pub struct Bind<'a> {
    pub requested_port: Option<u16>,
    #[serde(default)]
    pub reuse_address: bool,
    #[serde(default)]
    pub reuse_port: bool,
    #[serde(default)]
    pub v6_only: bool,
    #[serde(borrow, default)]
    pub shares_port_with: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
pub struct Listen<'a> {
    pub backlog: u32,
    #[serde(borrow, default)]
    pub shares_port_with: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
pub struct Existing {
    pub state: SocketState,
    pub backlog: Option<u32>,
    pub interface: Option<u32>,
}

#[derive(Deserialize)]
pub struct Udp<'a> {
    pub sent_to_peer: Option<SentToPeer>,
    #[serde(default)]
    pub further_peers_counted: bool,
    #[serde(default)]
    pub others_sent: u64,
    #[serde(default)]
    pub others_received: u64,
    #[serde(default)]
    pub peers: usize,
    #[serde(default)]
    pub datagrams_sent: u64,
    #[serde(default)]
    pub datagrams_received: u64,
    #[serde(borrow, default)]
    pub flows: Vec<Flow<'a>>,
}

#[derive(Deserialize)]
pub struct Flow<'a> {
    #[serde(borrow)]
    pub remote: Side<'a>,
    pub sent: u64,
    pub received: u64,
}

#[derive(Deserialize)]
pub struct Packet {
    pub interface_index: u32,
    pub ether_type: u32,
}

#[derive(Deserialize)]
pub struct Filter {
    pub instructions: u32,
    pub sha256: Option<String>,
}

#[derive(Deserialize)]
pub struct Netlink {
    pub message: Option<u16>,
    pub flags: Option<u16>,
    pub unread_bytes: Option<u32>,
    pub groups: Option<u32>,
}

#[derive(Deserialize)]
pub struct Multicast {
    pub group: IpAddr,
    pub source: Option<IpAddr>,
    pub interface_index: Option<u32>,
}

#[derive(Deserialize)]
pub struct Exit {
    pub status: Option<u32>,
    pub signal: Option<u32>,
}

#[derive(Deserialize)]
pub struct Present {
    pub agent: bool,
}

#[derive(Deserialize)]
pub struct Identified {
    pub events: u64,
}

/// What of `process` is the thread's.
#[derive(Deserialize)]
pub struct Thread<'a> {
    pub pid: Option<u32>,
    pub thread: Option<ThreadId>,
    #[serde(borrow)]
    pub user: Option<Id<'a>>,
    #[serde(borrow)]
    pub group: Option<Id<'a>>,
}

#[derive(Deserialize)]
pub struct ThreadId {
    pub id: u32,
}

#[derive(Deserialize)]
pub struct Id<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
}

/// `agent`.
#[derive(Default, Deserialize)]
pub struct Run {
    ephemeral_id: Option<Uuid>,
}

/// `host`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Host {
    hostname: String,
    id: String,
    boot: Boot,
    architecture: String,
    os: Os,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Boot {
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Os {
    kernel: String,
    name: String,
    version: String,
}

pub fn identity(run: Run, host: Host) -> Identity {
    Identity {
        host_name: host.hostname,
        host_id: host.id,
        boot_id: host.boot.id,
        kernel: host.os.kernel,
        architecture: host.architecture,
        os: (host.os.name, host.os.version),
        network_namespace: 0,
        run: run.ephemeral_id.unwrap_or_default(),
    }
}

/// The text of a part; empty when it is not there.
pub fn raw(part: Option<&RawValue>) -> &str {
    part.map_or("", RawValue::get)
}

/// Counts are added up by whoever reads them, which nonsense is not to upset.
pub fn summable(field: &str, counts: impl IntoIterator<Item = u64>) -> Result<(), NotOurs> {
    let sum = counts.into_iter().try_fold(0_u64, |sum, count| sum.checked_add(count));
    sum.map(drop).ok_or_else(|| NotOurs::field(field, "more than can be counted"))
}

/// A time as nanoseconds since 1970 (UTC).
pub fn nanoseconds(field: &str, text: &str) -> Result<u64, NotOurs> {
    let time: Timestamp = text.parse().map_err(|_| NotOurs::field(field, "not a time"))?;
    u64::try_from(time.as_nanosecond()).map_err(|_| NotOurs::field(field, "before 1970"))
}
