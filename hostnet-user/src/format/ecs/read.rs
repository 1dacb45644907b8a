//! A document read back: the fields that questions are about, all of them absent
//! where a document has not got them. Nothing here knows what is asked.

use crate::event::Action;
use serde::Deserialize;
use serde_json::Value;

macro_rules! part {
    ($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$field_about])* pub $field: $type,)+ }
    };
}

part! {
    /// One event.
    Read {
        /// `@timestamp`.
        #[serde(rename = "@timestamp")]
        timestamp: String,
        /// The event as a sentence.
        message: String,
        event: EventPart,
        agent: Agent,
        host: Host,
        process: Process,
        user: Named,
        container: Container,
        network: Network,
        source: End,
        destination: End,
        rule: Named,
        threat: Threat,
        hostnet: Hostnet,
    }
}

part! {
    /// `event`.
    EventPart {
        id: String,
        sequence: u64,
        kind: String,
        dataset: String,
        action: String,
        outcome: String,
        reason: Option<String>,
        provider: String,
        duration: Option<u64>,
        severity: Option<u64>,
        start: Option<String>,
        end: Option<String>,
    }
}

part! {
    /// `agent`.
    Agent { ephemeral_id: String, version: String, }
}

part! {
    /// `host`.
    Host { name: String, boot: Named, }
}

part! {
    /// Whatever has an id, and may have a name.
    Named { id: Option<String>, name: Option<String>, }
}

part! {
    /// `threat`; one technique or several.
    Threat { technique: Technique, }
}

part! {
    /// `threat.technique`.
    Technique { id: Value, name: Value, }
}

part! {
    /// `process`, and `hostnet.peer.process`.
    Process {
        pid: Option<u32>,
        entity_id: Option<String>,
        name: Option<String>,
        executable: Option<String>,
        command_line: Option<String>,
        working_directory: Option<String>,
        start: Option<String>,
        exit_code: Option<i64>,
        user: Named,
        parent: Parent,
    }
}

part! {
    /// `process.parent`.
    Parent {
        pid: Option<u32>,
        entity_id: Option<String>,
        name: Option<String>,
        executable: Option<String>,
        start: Option<String>,
    }
}

part! {
    /// `container`.
    Container { id: Option<String>, name: Option<String>, image: Image, runtime: Option<String>, }
}

part! {
    /// `container.image`.
    Image { name: Option<String>, tag: Vec<String>, }
}

part! {
    /// `network`.
    Network {
        direction: Option<String>,
        transport: Option<String>,
        community_id: Option<String>,
    }
}

part! {
    /// `source` or `destination`.
    End { bytes: Option<u64>, }
}

part! {
    /// `hostnet`.
    Hostnet {
        amends: Option<String>,
        local: Option<Side>,
        remote: Option<Side>,
        socket: Socket,
        netns: Netns,
        owner: Owner,
        attribution: Attribution,
        peer: Option<Peer>,
        bind: Scoped,
        listen: Scoped,
        existing: Existing,
        udp: Udp,
        exit: Exit,
        finding: Value,
        health: Value,
        loss: Option<Loss>,
        time: Time,
    }
}

part! {
    /// `hostnet.local` or `hostnet.remote`: an address and a port, or a name.
    Side { ip: Option<String>, port: Option<u16>, name: Option<String>, }
}

part! {
    /// `hostnet.socket`.
    Socket { cookie: Option<u64>, family: String, r#type: String, protocol: String, }
}

part! {
    /// `hostnet.netns`.
    Netns { declared: Option<String>, }
}

part! {
    /// `hostnet.owner`.
    Owner { kind: String, cgroup: Cgroup, }
}

part! {
    /// A cgroup.
    Cgroup { path: Option<String>, }
}

part! {
    /// `hostnet.attribution`.
    Attribution { confidence: String, }
}

part! {
    /// `hostnet.peer`, and each of its candidates.
    Peer {
        kind: Option<String>,
        unit: Option<String>,
        container: Container,
        process: Process,
        candidates: Vec<Peer>,
    }
}

part! {
    /// `hostnet.bind` or `hostnet.listen`.
    Scoped { scope: Option<String>, backlog: Option<u32>, }
}

part! {
    /// `hostnet.existing`.
    Existing { state: Option<String>, scope: Option<String>, }
}

part! {
    /// `hostnet.udp`.
    Udp {
        sent_to_peer: Option<String>,
        datagrams_sent: Option<u64>,
        datagrams_received: Option<u64>,
        flows: Vec<Flow>,
    }
}

part! {
    /// One of `hostnet.udp.flows`.
    Flow { remote: Side, sent: u64, received: u64, }
}

part! {
    /// `hostnet.exit`.
    Exit { status: Option<u32>, signal: Option<u32>, }
}

part! {
    /// `hostnet.loss`.
    Loss { place: String, count: u64, reason: Option<String>, by: Vec<LossBy>, }
}

part! {
    /// One of `hostnet.loss.by`.
    LossBy { operation: String, count: u64, owner: Option<String>, }
}

part! {
    /// `hostnet.time`.
    Time { boot_ns: u64, }
}

impl Read {
    /// Reads a document of ours.
    ///
    /// # Errors
    /// When it is not one.
    pub fn of(document: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(document)
    }
}

impl EventPart {
    /// The action; `None` for one that this version does not have.
    #[must_use]
    pub fn action(&self) -> Option<Action> {
        Action::from_name(&self.action)
    }
}

impl Container {
    /// The name a person knows it by: its own, or the beginning of its id.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        let id = self.id.as_deref().map(crate::event::short_id);
        self.name.as_deref().filter(|name| !name.is_empty()).or(id)
    }

    /// The image as it was asked for, such as `nginx:1.27`.
    #[must_use]
    pub fn image(&self) -> Option<String> {
        let name = self.image.name.as_ref()?;
        Some(self.image.tag.first().map_or_else(|| name.clone(), |tag| format!("{name}:{tag}")))
    }
}

impl Peer {
    /// Its name in a word, as [`PeerParty::label`](crate::event::PeerParty::label);
    /// of several, all.
    #[must_use]
    pub fn label(&self) -> String {
        if !self.candidates.is_empty() {
            let each: Vec<String> = self.candidates.iter().map(Self::label).collect();
            return each.join(" or ");
        }
        let kind = self.kind.as_deref().unwrap_or("unknown");
        let of_host = || self.unit.as_deref().or(self.process.name.as_deref());
        let name = if kind == "host" { of_host() } else { self.container.label() };
        name.unwrap_or(kind).to_owned()
    }
}

impl Side {
    /// The address, or the name of a unix socket.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.ip.as_deref().or(self.name.as_deref())
    }
}
