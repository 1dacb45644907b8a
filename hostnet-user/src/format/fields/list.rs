//! The list of our own fields: those that events of any kind may have, and those of each
//! kind, which are at home in its file. docs/events.md and the JSON Schema come from it,
//! and a test holds every recorded event against that schema.

use std::sync::LazyLock;

use super::{
    Field,
    Kind::{Flag, Free, Ip, Number, Objects, Text, Texts, Word},
    field,
    words::{
        CONFIDENCE_TEXT, CONFIDENCES, METHOD_TEXT, METHODS, OWNER_KINDS, PEER_METHOD, PEER_METHODS,
        PEER_PROCESS, SCOPES, SURFACE_TEXT, SURFACES, VIAS,
    },
};
use crate::event::Operation;

/// Every field, in the order of the document.
pub static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let operation = field("operation", Word(&OPERATIONS), "What was done.");
    let own = Operation::FIELDS.iter().flat_map(|kind| kind.iter()).flat_map(|part| part.iter());
    let all = std::iter::once(&operation).chain(OF_ANY).chain(own).chain(LAST);
    all.copied().collect()
});

/// Every `hostnet.operation`, once.
static OPERATIONS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut names: Vec<&str> = Vec::new();
    for name in Operation::NAMES.iter().flat_map(|kind| kind.iter()) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    names
});

/// Those that events of any kind may have.
const OF_ANY: &[Field] = &[
    field(
        "amends",
        Text,
        "`event.id` of the earlier event that this one completes; of a late name, the first of those that came without it.",
    ),
    field("local.ip", Ip, "Local address, whichever side began; IPv4 for a v4-mapped one."),
    field("local.port", Number, "Local port; 0 when the kernel had not chosen one yet."),
    field("local.mapped", Ip, "The v4-mapped address the application used."),
    field(
        "local.name",
        Text,
        "Local name of a unix socket: `@name` for an abstract one, else a path.",
    ),
    field(
        "local.name_hex",
        Text,
        "Exactly that name's bytes in hexadecimal; an abstract name begins with 00.",
    ),
    field("remote.ip", Ip, "Remote address, whichever side began; IPv4 for a v4-mapped one."),
    field("remote.port", Number, "Remote port."),
    field("remote.mapped", Ip, "The v4-mapped address the application used."),
    field(
        "remote.name",
        Text,
        "Remote name of a unix socket: `@name` for an abstract one, else a path.",
    ),
    field(
        "remote.name_hex",
        Text,
        "Exactly that name's bytes in hexadecimal; an abstract name begins with 00.",
    ),
    field("socket.cookie", Number, "The kernel's id of the socket, never reused until reboot."),
    field(
        "socket.family",
        Text,
        "Address family of the socket: inet, inet6, unix, packet, netlink, ….",
    ),
    field(
        "socket.type",
        Word(&["stream", "dgram", "raw", "seqpacket", "other"]),
        "Type of the socket.",
    ),
    field(
        "socket.protocol",
        Text,
        "Protocol of the socket within its family: tcp, udp, icmp, route, all, ….",
    ),
    field("socket.protocol_number", Number, "Its number, where it has no name (`other`)."),
    field("socket.errno", Number, "errno of the failure; its name is in `event.reason`."),
    field("netns.inode", Number, "Inode of the host's network namespace."),
    field("netns.is_host", Flag, "Always true: other sockets are not reported."),
    field("netns.declared", Text, "The network mode the runtime declares for the container."),
    field(
        "owner.kind",
        OWNER_KINDS,
        "Whose operation it is; `container-unknown` for a process in namespaces of its own that is \
         in no container's cgroup.",
    ),
    field(
        "owner.cgroup.id",
        Number,
        "cgroup-v2 id of the acting task, or of the socket where nobody acts; of a process that \
         has left its container's cgroup, that cgroup.",
    ),
    field("owner.cgroup.path", Text, "Path of that cgroup."),
    field(
        "owner.nested",
        Texts,
        "Container ids that the path names below the owner: containers inside it, or names that \
         anybody in it could give.",
    ),
    field(
        "owner.moved_to.id",
        Number,
        "cgroup-v2 id of where the process is now, when it has left its container's cgroup.",
    ),
    field("owner.moved_to.path", Text, "Path of that cgroup."),
    field("attribution.method", METHODS, METHOD_TEXT),
    field("attribution.confidence", CONFIDENCES, CONFIDENCE_TEXT),
    field("creator.kind", OWNER_KINDS, "Who made the socket, when that was not the owner."),
    field("creator.attribution.method", METHODS, "How the creator is known."),
    field("creator.attribution.confidence", CONFIDENCES, "How sure."),
    field("creator.cgroup.id", Number, "cgroup-v2 id the socket was made in."),
    field("creator.cgroup.path", Text, "Path of that cgroup."),
    field("creator.nested", Texts, "As `owner.nested`."),
    field("creator.moved_to.id", Number, "As `owner.moved_to.id`."),
    field("creator.moved_to.path", Text, "As `owner.moved_to.path`."),
    field("creator_container", Free, "The creator's container, as `container`."),
    field("container.network_mode", Text, "Declared network mode."),
    field("container.user", Text, "Declared user; empty for the image's default."),
    field(
        "container.capabilities",
        Texts,
        "Added capabilities, and dropped ones with a leading `-`.",
    ),
    field("container.restart_policy", Text, "Declared restart policy."),
    field("container.created", Text, "When the container was created."),
    field(
        "container.is_infra",
        Flag,
        "It does nothing but hold a pod's namespaces: Podman's infra container, or a Kubernetes pod's \
         pause container.",
    ),
    field(
        "container.labels_cut",
        Number,
        "How many labels of the container no event has, or has only the beginning of: those \
         beyond `[labels]` of the configuration, and texts longer than 256 bytes.",
    ),
    field("compose.project", Text, "Compose project, as the container's labels tell it."),
    field("compose.service", Text, "Compose service, as the container's labels tell it."),
    field(
        "process.source",
        Word(&["exec", "proc"]),
        "Where all that is known of the process is from: `exec` the kernel, when it began to run \
         its program; `proc` /proc, later, when it may have rewritten its arguments.",
    ),
    field(
        "process.called",
        Text,
        "The name exec was given, when that is not `process.executable`: a link, a script, a \
         descriptor, a name relative to the working directory.",
    ),
    field("process.called_truncated", Flag, "That name was longer than what is kept (256 bytes)."),
    field("process.called_hex", Text, "Exact bytes of that name, when not valid UTF-8."),
    field("process.file.inode", Number, "Inode of the executable."),
    field("process.file.device", Text, "Its file system's device, `MAJOR:MINOR`."),
    field("process.file.deleted", Flag, "It had been removed from its directory before the exec."),
    field(
        "process.file.memfd",
        Flag,
        "It is in memory only, made by memfd_create(2); `process.executable` is its name.",
    ),
    field(
        "process.executable_outside",
        Flag,
        "The executable is outside the process' mount namespace: a descriptor of it was let in.",
    ),
    field(
        "process.executable_truncated",
        Flag,
        "`process.executable` is the end of a longer path, and begins without a slash.",
    ),
    field(
        "process.working_directory_outside",
        Flag,
        "The working directory is outside the process' mount namespace.",
    ),
    field(
        "process.working_directory_truncated",
        Flag,
        "`process.working_directory` is the end of a longer path, and begins without a slash.",
    ),
    field(
        "process.working_directory_hex",
        Text,
        "Exact bytes of `process.working_directory`, when not valid UTF-8.",
    ),
    field(
        "process.ancestors",
        Objects,
        "Who made the process, nearest first, up to the container's first process and at most 16; \
         each as it was when it made the next, ended or not.",
    ),
    field("process.ancestors.pid", Number, "Process id."),
    field("process.ancestors.name", Text, "Name of its program."),
    field("process.ancestors.executable", Text, "Where its file is."),
    field(
        "process.name_hex",
        Text,
        "Exact bytes of `process.name`, when they are not valid UTF-8.",
    ),
    field(
        "process.executable_hex",
        Text,
        "Exact bytes of `process.executable`, when not valid UTF-8.",
    ),
    field("process.args_hex", Texts, "Exact bytes of `process.args`, when one is not valid UTF-8."),
    field(
        "process.args_truncated",
        Flag,
        "Arguments are missing at the end: of more than 1024 bytes, or where very many processes live. \
         `process.args_count` says how many there were; it is absent where that is not known.",
    ),
    field(
        "user.name_source",
        Word(&["host", "container"]),
        "Whose `/etc/passwd` `user.name` is from. A `container` says of itself what it likes: the \
         name is a claim, `user.id` is the kernel's.",
    ),
    field(
        "peer.kind",
        OWNER_KINDS,
        "Who is at the other end, when that is on this host: whoever began to listen there, or to \
         connect. Without this field it is not known; see `peer.method`.",
    ),
    field("peer.method", PEER_METHODS, PEER_METHOD),
    field("peer.confidence", CONFIDENCES, "How sure."),
    field("peer.cgroup.id", Number, "cgroup-v2 id of the process at the other end."),
    field("peer.cgroup.path", Text, "Path of that cgroup."),
    field("peer.unit", Text, "systemd unit of a host process, by its cgroup's path."),
    field("peer.container", Free, "The container at the other end, as `container`."),
    field("peer.process.pid", Number, PEER_PROCESS),
    field("peer.process.entity_id", Text, "As `process.entity_id`."),
    field("peer.process.name", Text, "As `process.name`."),
    field("peer.process.executable", Text, "As `process.executable`."),
    field(
        "peer.via",
        VIAS,
        "The program in between: `peer.process` is it, and the other fields are of the container \
         that it passes on to.",
    ),
    field("peer.listens_on.ip", Ip, "Address that the other end is bound to."),
    field("peer.listens_on.port", Number, "Port of that address."),
    field("peer.scope", SCOPES, "Who can reach the other end."),
    field(
        "peer.ambiguous",
        Flag,
        "The kernel chooses among several owners' sockets, which are `peer.candidates`.",
    ),
    field("peer.candidates", Objects, "Everybody it may be, with the fields of `peer` each."),
    field("surface.target", SURFACES, SURFACE_TEXT),
];

const LAST: &[Field] = &[
    field(
        "truncated",
        Texts,
        "Fields of which this event has only the beginning, because an event has at most 7680 bytes, one of the agent about itself 60 KiB.",
    ),
    field(
        "time.boot_ns",
        Number,
        "`CLOCK_BOOTTIME` of the operation, nanoseconds; orders events over clock steps.",
    ),
];
