//! Joins three accounts of the same operations: the actor's own, the agent's
//! events, and what `ss` shows of the sockets that are still open.
//!
//! Every row of the actor's is told once, with its address, its outcome, its
//! owner, its process and its time; and nothing is told that no row explains.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use serde_json::Value;

use crate::{
    Container, Run, at,
    oracle::Seen,
    want::{Want, want},
};

/// What the kinds of rows are told as: the row's `op`, the event's action and
/// its `hostnet.operation`.
const TOLD: [(&str, &str, &str); 8] = [
    ("bind", "bound-socket", "bind"),
    ("listen", "listen-for-connections", "listen"),
    ("connect", "connection_attempted", "connect"),
    ("send", "connection_attempted", "send"),
    ("accept", "connection_accepted", "accept"),
    ("receive", "connection_accepted", "receive"),
    ("raw-socket", "opened-raw-socket", "raw-socket"),
    ("close", "disconnect_received", "close"),
];

/// Transports of connects whose outcome nobody can see.
const WITHOUT_OUTCOME: [&str; 3] = ["udp", "udplite", "icmp"];

/// Transports of families that are not IP: no set that is on by default sees them.
const NOT_IP: [&str; 6] = ["unix", "packet", "netlink", "vsock", "xdp", "alg"];

/// The accounts that agreed.
#[derive(Debug, PartialEq, Eq)]
pub struct Joined {
    /// Rows that were told.
    pub rows: usize,
    /// Of these, rows whose socket `ss` has shown too.
    pub witnessed: usize,
}

/// What is known beside the events.
pub(crate) struct Accounts<'a> {
    pub container: &'a Container,
    pub rows: &'a [Value],
    pub witness: &'a HashMap<u64, Seen>,
    /// `CLOCK_BOOTTIME` before the first row.
    pub began_ns: i64,
    /// The agent sees which binds are refused.
    pub sees_refusals: bool,
}

/// Joins them; the error says every difference.
pub(crate) fn join(run: &Run, accounts: &Accounts<'_>) -> Result<Joined, String> {
    let mut differences = String::new();
    let mut joined = Joined { rows: 0, witnessed: 0 };
    let mut told = HashSet::new();
    let mut repeated = HashSet::new();
    for row in accounts.rows {
        let Some(expected) = accounts.expected(row) else { continue };
        if matches!(row["op"].as_str(), Some("send" | "receive")) {
            let again = !repeated.insert((row["cookie"].as_u64(), row["remote"].to_string()));
            if again {
                continue;
            }
        }
        let found: Vec<usize> = (0..run.events.len())
            .filter(|index| expected.matches(&run.events[*index]) && !told.contains(index))
            .collect();
        let Some(event) = found.first() else {
            let _ = writeln!(differences, "not told: {row}\n{}", nearest(run, &expected));
            continue;
        };
        told.insert(*event);
        joined.rows += 1;
        match accounts.in_place(row, &run.events[*event]) {
            Ok(seen) => joined.witnessed += usize::from(seen),
            Err(difference) => {
                let _ = writeln!(differences, "{difference}: {row}");
            }
        }
    }
    for (index, event) in run.events.iter().enumerate() {
        if !told.contains(&index) && accounts.needs_a_row(event) {
            let _ = writeln!(differences, "told, but not done: {event}");
        }
    }
    if joined.rows == 0 && differences.is_empty() {
        differences.push_str("the actor did nothing that is told");
    }
    if differences.is_empty() { Ok(joined) } else { Err(differences) }
}

impl Accounts<'_> {
    /// The event that a row has to be told as; `None` when it is not told.
    fn expected(&self, row: &Value) -> Option<Want> {
        let transport = row["transport"].as_str().unwrap_or_default();
        if NOT_IP.contains(&transport) {
            return None;
        }
        let (_, action, operation) = TOLD.iter().find(|(op, ..)| row["op"] == *op)?;
        let mut event = want()
            .action(action)
            .is("hostnet.operation", *operation)
            .owned_by(self.container)
            .is("process.name", "actor")
            .is("process.executable", "/actor");
        event = match row["pid"].as_u64() {
            Some(pid) if pid == 1 || pid == u64::from(self.container.pid) => {
                event.is("process.pid", self.container.pid)
            }
            _ => event.is("process.vpid", row["pid"].clone()),
        };
        if row["boot_ns"].is_i64() {
            let until = row["boot_ns"].as_i64().expect("checked");
            event = event.between("hostnet.time.boot_ns", self.began_ns, until);
        }
        for (key, path) in [("cookie", "hostnet.socket.cookie"), ("args", "process.args")] {
            if !row[key].is_null() {
                event = event.is(path, row[key].clone());
            }
        }
        if *operation == "close" {
            return Some(closed(event, row));
        }
        // A datagram's own address is not known before it is sent, nor that of a
        // socket which connects without a packet: the end of the socket tells it.
        let unsettled = matches!(*operation, "send" | "receive")
            || (*operation == "connect" && WITHOUT_OUTCOME.contains(&transport));
        if row["local"].is_object() && !unsettled {
            event = event.endpoint("hostnet.local", &row["local"]);
        }
        if row["remote"].is_object() {
            event = event.endpoint("hostnet.remote", &row["remote"]);
        }
        // Of a bind that asks for no port, only fexit tells whether it was refused.
        let asks_for_none = |key: &str| row[key]["port"] == 0;
        let is_portless =
            asks_for_none("local") || (row["result"] != "ok" && asks_for_none("requested"));
        if *operation == "bind" && is_portless && !self.sees_refusals {
            return Some(event.is("event.outcome", "unknown"));
        }
        Some(match row["result"].as_str() {
            Some("ok") if *operation == "connect" && WITHOUT_OUTCOME.contains(&transport) => {
                event.is("event.outcome", "unknown")
            }
            Some("ok") | None => event.is("event.outcome", "success"),
            Some(errno) if *operation == "connect" => {
                event.is("event.outcome", "failure").is("event.reason", errno)
            }
            Some(_) => event.is("event.outcome", "failure"),
        })
    }

    /// Whether an event is of a kind that only an operation of the actor explains.
    fn needs_a_row(&self, event: &Value) -> bool {
        let action = at(event, "event.action").and_then(Value::as_str);
        at(event, "container.id").is_some_and(|id| *id == *self.container.id)
            && action != Some("disconnect_received")
            && TOLD.iter().any(|(_, told, _)| Some(*told) == action)
    }

    /// The kernel's number of the cgroup the actor was in agrees, and then what
    /// [`Self::witness`] says.
    fn in_place(&self, row: &Value, event: &Value) -> Result<bool, String> {
        // A process that has left its container's cgroup is the container's still.
        let moved_to = at(event, "hostnet.owner.moved_to.id");
        let cgroup = moved_to.or_else(|| at(event, "hostnet.owner.cgroup.id"));
        if row["cgroup"].is_u64() && cgroup != Some(&row["cgroup"]) {
            return Err(format!("the actor was in another cgroup than {cgroup:?}"));
        }
        self.witness(row, event)
    }

    /// Whether `ss` has shown the row's socket; an error when it says otherwise.
    fn witness(&self, row: &Value, event: &Value) -> Result<bool, String> {
        let Some(seen) = row["cookie"].as_u64().and_then(|cookie| self.witness.get(&cookie)) else {
            return Ok(false);
        };
        let places = ["hostnet.owner.cgroup.path", "hostnet.owner.moved_to.path"];
        let paths = places.map(|place| at(event, place).and_then(Value::as_str));
        if seen.cgroup.is_some() && !paths.contains(&seen.cgroup.as_deref()) {
            return Err(format!("ss has it in {:?}, the event in {paths:?}", seen.cgroup));
        }
        if row["op"] == "listen" || row["op"] == "bind" {
            let port = at(event, "hostnet.local.port").and_then(Value::as_u64);
            let ip = at(event, "hostnet.local.ip").and_then(Value::as_str);
            let same_ip = seen.ip.is_none_or(|seen| ip == Some(&*seen.to_string()));
            // A bind without a port gets one later, and a bound socket an address.
            let settled = row["op"] == "listen";
            if settled && (port != Some(seen.port.into()) || !same_ip) {
                return Err(format!("ss has {seen:?}, the event {ip:?} {port:?}"));
            }
        }
        Ok(true)
    }
}

fn closed(event: Want, row: &Value) -> Want {
    if row["datagrams"].is_u64() {
        return event.is("hostnet.udp.datagrams_sent", row["datagrams"].clone());
    }
    let (source, destination) = match row["end"].as_str() {
        Some("client") => ("sent", "received"),
        _ => ("received", "sent"),
    };
    event.is("source.bytes", row[source].clone()).is("destination.bytes", row[destination].clone())
}

fn nearest(run: &Run, expected: &Want) -> String {
    let misses = run.events.iter().map(|event| (expected.differences(event), event));
    // An event of the same socket is nearer than one that differs in the socket alone.
    let distance = |differences: &[String]| {
        let other = differences.iter().any(|line| line.starts_with("hostnet.socket.cookie:"));
        (other, differences.len())
    };
    let Some((differences, event)) = misses.min_by_key(|(differences, _)| distance(differences))
    else {
        return "  there is no event at all".to_owned();
    };
    format!("  the nearest is {event}\n    {}", differences.join("\n    "))
}
