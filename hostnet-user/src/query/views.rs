//! The views that anybody's SQL may ask: stable names over whatever the tables are.
//! docs/query.md has this list, and a test holds the two together.

use rusqlite::Connection;

/// A view.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// What a row of it is.
    pub about: &'static str,
    /// What it selects.
    pub sql: &'static str,
}

/// A time as text, and fields of the document: written out once, used in all views.
macro_rules! time {
    ($column:literal) => {
        concat!(
            "strftime('%Y-%m-%dT%H:%M:%S', ",
            $column,
            " / 1000000000, 'unixepoch') || printf('.%09dZ', ",
            $column,
            " % 1000000000)"
        )
    };
}

macro_rules! field {
    ($path:literal) => {
        concat!("json_extract(e.document, '$.", $path, "')")
    };
}

/// A number of up to 64 bits, unsigned. SQLite's integers are signed, and a float would
/// round it: so it is text, with the affinity that compares it with a number as well.
macro_rules! exact {
    ($row:literal, $path:literal) => {
        concat!("CAST(", $row, ".document -> '$.", $path, "' AS TEXT)")
    };
}

/// Who, in every view that is about events.
macro_rules! who {
    () => {
        concat!(
            "coalesce(",
            field!("container.name"),
            ", substr(",
            field!("container.id"),
            ", 1, 12), e.owner) AS container, e.owner AS container_id, ",
            field!("container.image.name"),
            " AS image, ",
            field!("process.name"),
            " AS process, ",
            field!("process.pid"),
            " AS pid, ",
            field!("process.entity_id"),
            " AS entity_id"
        )
    };
}

/// All of them.
pub const VIEWS: [View; 7] = [
    View {
        name: "events",
        about: "An event. `document` is all of it, in ECS.",
        sql: concat!(
            "SELECT ",
            time!("e.time_ns"),
            " AS time, e.time_ns, e.id, e.run, e.sequence, \
             e.event_id, e.dataset, e.action, ",
            field!("event.outcome"),
            " AS outcome, ",
            who!(),
            ", ",
            field!("hostnet.socket.protocol"),
            " AS protocol, ",
            field!("network.direction"),
            " AS direction, ",
            field!("hostnet.local.ip"),
            " AS local_ip, ",
            field!("hostnet.local.port"),
            " AS local_port, ",
            field!("hostnet.remote.ip"),
            " AS remote_ip, ",
            field!("hostnet.remote.port"),
            " AS remote_port, ",
            exact!("e", "hostnet.socket.cookie"),
            " AS cookie, ",
            exact!("e", "hostnet.owner.cgroup.id"),
            " AS cgroup_id, ",
            field!("message"),
            " AS message, e.document FROM event e"
        ),
    },
    View {
        name: "listeners",
        about: "A socket that began to listen, was bound for UDP, or was there at the agent's \
                start; `closed_ns` is empty where no end was told.",
        sql: concat!(
            "SELECT ",
            time!("e.time_ns"),
            " AS time, e.time_ns, ",
            who!(),
            ", ",
            field!("hostnet.socket.protocol"),
            " AS protocol, coalesce(",
            field!("hostnet.local.ip"),
            ", ",
            field!("hostnet.local.name"),
            ") AS address, ",
            field!("hostnet.local.port"),
            " AS port, coalesce(",
            field!("hostnet.listen.scope"),
            ", ",
            field!("hostnet.bind.scope"),
            ", ",
            field!("hostnet.existing.scope"),
            ") AS exposure, ",
            exact!("e", "hostnet.socket.cookie"),
            " AS cookie, (SELECT min(c.time_ns) FROM port p \
             JOIN event c ON c.id = p.id WHERE p.span >= e.time_ns / 600000000000 AND p.port = ",
            field!("hostnet.local.port"),
            " AND c.id > e.id AND c.action IN (",
            action_list!(ClosedListener, DisconnectReceived),
            ") AND ",
            exact!("c", "hostnet.socket.cookie"),
            " = ",
            exact!("e", "hostnet.socket.cookie"),
            ") AS closed_ns, e.event_id FROM event e WHERE \
             e.action NOT IN (",
            frequent_actions!(),
            ") AND (e.action = ",
            action_list!(ListenForConnections),
            " OR e.action = ",
            action_list!(BoundSocket),
            " AND ",
            field!("hostnet.socket.protocol"),
            " IS NOT 'tcp' AND ",
            field!("event.outcome"),
            " IS NOT 'failure' OR e.action = ",
            action_list!(ExistingSocket),
            " AND ",
            field!("hostnet.existing.state"),
            " IN ('listen', 'bound'))"
        ),
    },
    View {
        name: "flows",
        about: "A connection, or what a UDP socket exchanged with one peer: its events put \
                together.",
        sql: concat!(
            "SELECT ",
            time!("min(e.time_ns)"),
            " AS time, min(e.time_ns) AS time_ns, ",
            who!(),
            ", ",
            field!("hostnet.socket.protocol"),
            " AS protocol, max(",
            field!("network.direction"),
            ") AS direction, max(",
            field!("hostnet.local.ip"),
            ") AS local_ip, max(",
            field!("hostnet.local.port"),
            ") AS local_port, coalesce(",
            field!("hostnet.remote.ip"),
            ", ",
            field!("hostnet.remote.name"),
            ") AS remote_ip, ",
            field!("hostnet.remote.port"),
            " AS remote_port, min(CASE WHEN e.action LIKE \
             'connection%' THEN ",
            field!("event.outcome"),
            " END) AS outcome, max(CASE e.action \
             WHEN ",
            action_list!(DisconnectReceived),
            " THEN e.time_ns END) AS end_ns, max(",
            field!("source.bytes"),
            ") AS orig_bytes, max(",
            field!("destination.bytes"),
            ") AS resp_bytes, max(",
            field!("network.community_id"),
            ") AS community_id, max(coalesce(",
            field!("hostnet.peer.container.name"),
            ", ",
            field!("hostnet.peer.unit"),
            ", ",
            field!("hostnet.peer.process.name"),
            ")) AS service, ",
            exact!("e", "hostnet.socket.cookie"),
            " AS cookie FROM event e WHERE e.action IN (",
            action_list!(
                ConnectionAttempted,
                ConnectionOutcome,
                ConnectionAccepted,
                DisconnectReceived
            ),
            ") GROUP BY ",
            field!("host.boot.id"),
            ", ",
            exact!("e", "hostnet.socket.cookie"),
            ", ",
            field!("hostnet.remote.ip"),
            ", ",
            field!("hostnet.remote.port")
        ),
    },
    View {
        name: "peers",
        about: "What an owner and an address exchanged in ten minutes, counted as it was kept: \
                the quickest to ask.",
        sql: concat!(
            "SELECT ",
            time!("p.span * 600000000000"),
            " AS span, p.owner AS container_id, \
             p.direction, p.protocol, p.address, p.port, p.peer, p.begun, p.failed, p.ended, \
             p.bytes_sent, p.bytes_received, p.datagrams_sent, p.datagrams_received, p.first_ns, \
             p.last_ns FROM peer p"
        ),
    },
    View {
        name: "processes",
        about: "A process of which a beginning or an end was told.",
        sql: concat!(
            "SELECT ",
            field!("process.start"),
            " AS start, max(CASE e.action WHEN ",
            action_list!(ProcessEnded),
            " THEN e.time_ns END) AS end_ns, ",
            who!(),
            ", ",
            field!("process.executable"),
            " AS executable, ",
            exact!("e", "hostnet.process.file.inode"),
            " AS inode, ",
            field!("process.command_line"),
            " AS command_line, ",
            field!("process.parent.pid"),
            " AS parent_pid, ",
            field!("process.parent.entity_id"),
            " AS parent_entity_id, ",
            field!("user.id"),
            " AS user, max(",
            field!("hostnet.exit.status"),
            ") AS status, max(",
            field!("hostnet.exit.signal"),
            ") AS signal, max(e.id) AS id FROM event e WHERE \
             e.action NOT IN (",
            frequent_actions!(),
            ") AND e.action IN (",
            action_list!(Executed, ProcessEnded),
            ") GROUP BY ",
            field!("process.entity_id")
        ),
    },
    View {
        name: "containers",
        about: "A container, `host`, or `unknown`, with the name in its last event.",
        sql: concat!(
            "SELECT a.owner AS container_id, coalesce(",
            field!("container.name"),
            ", substr(a.owner, 1, 12)) AS container, ",
            field!("container.image.name"),
            " AS image, ",
            field!("hostnet.netns.declared"),
            " AS declared, ",
            time!("a.first_ns"),
            " AS first, ",
            time!("a.last_ns"),
            " AS last, a.events FROM \
             (SELECT owner, sum(events) AS events, min(first_ns) AS first_ns, max(last_ns) AS \
             last_ns, max(last_id) AS last_id FROM active GROUP BY owner) a JOIN event e ON \
             e.id = a.last_id"
        ),
    },
    View {
        name: "findings",
        about: "Something that should not be.",
        sql: concat!(
            "SELECT ",
            time!("e.time_ns"),
            " AS time, e.time_ns, coalesce(",
            field!("rule.id"),
            ", e.action) AS rule_id, ",
            field!("rule.name"),
            " AS rule, ",
            field!("event.severity"),
            " AS severity, ",
            field!("threat.technique.id"),
            " AS technique, ",
            who!(),
            ", ",
            field!("message"),
            " AS message, e.event_id, e.document FROM event e WHERE e.dataset \
             = 'hostnet.finding'"
        ),
    },
];

/// Makes them, for as long as the connection lives.
pub(super) fn make(connection: &Connection) -> rusqlite::Result<()> {
    for View { name, sql, .. } in VIEWS {
        connection.execute_batch(&format!("CREATE TEMP VIEW {name} AS {sql}"))?;
    }
    Ok(())
}
