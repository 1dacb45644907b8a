//! The one list of hooks: which program, on what, in which set, since when.
//!
//! The loader attaches from it, the canary proves it, the coverage statement
//! and `event.provider` quote it. Ids are never reused.

/// A group of hooks that is switched on as one (all of it or nothing).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Set {
    /// IP sockets.
    Inet,
    /// Processes and cgroups.
    Life,
    /// Everything beyond IP, and what IP hooks cannot see, at the moment it happens.
    Families,
    /// The same at a socket's first send or receive, where the kernel refuses `Families`.
    FirstUse,
    /// IP connects where they are done, which costs less than cgroup programs; stands
    /// in for those of `Inet` that it replaces.
    Connect,
}

impl Set {
    /// The set's name in configuration, `doctor` and the start event.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Life => "life",
            Self::Families => "families",
            Self::FirstUse => "first-use",
            Self::Connect => "connect",
        }
    }
}

macro_rules! hook_table {
    ($($id:literal => $name:ident { program: $program:literal, attach: $attach:literal, set: $set:ident, since: ($major:literal, $minor:literal), sees: $sees:literal $(, reads: $reads:expr)? $(, replaced_by: $by:ident)? }),+ $(,)?) => {
        /// A place in the kernel where one of our programs runs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Hook { $($name = $id),+ }

        impl Hook {
            /// Every hook, in the order of ids.
            pub const ALL: &'static [Hook] = &[$(Hook::$name),+];

            /// The hook with this id, if there is one.
            #[must_use]
            pub const fn from_raw(raw: u16) -> Option<Self> {
                match raw { $($id => Some(Self::$name),)+ _ => None }
            }

            /// The program's name in the eBPF object.
            #[must_use]
            pub const fn program(self) -> &'static str {
                match self { $(Self::$name => $program),+ }
            }

            /// What the program is attached to, as `event.provider` says it.
            #[must_use]
            pub const fn attach_point(self) -> &'static str {
                match self { $(Self::$name => $attach),+ }
            }

            /// The set this hook belongs to.
            #[must_use]
            pub const fn set(self) -> Set {
                match self { $(Self::$name => Set::$set),+ }
            }

            /// The first kernel (major, minor) on which the hook does its work: the
            /// programs load from 5.10 on; those that read a socket's owner in a
            /// tracepoint need `sock_cgroup_data.cgroup` (5.15), fexit programs
            /// `bpf_get_func_ret` (5.17), first-use ones their tracepoints (6.3).
            #[must_use]
            pub const fn since(self) -> (u32, u32) {
                match self { $(Self::$name => ($major, $minor)),+ }
            }

            /// Kernel structs of which only this hook and a few others read fields:
            /// where a field is missing, those are not attached.
            #[must_use]
            pub const fn reads(self) -> &'static [&'static str] {
                match self { $(Self::$name => hook_table!(@reads $($reads)?)),+ }
            }

            /// The set that shows the same, where all of it is attached: this hook
            /// is then left out.
            #[must_use]
            pub const fn replaced_by(self) -> Option<Set> {
                match self { $(Self::$name => hook_table!(@by $($by)?)),+ }
            }

            /// The operation the hook shows, for a person.
            #[must_use]
            pub const fn sees(self) -> &'static str {
                match self { $(Self::$name => $sees),+ }
            }
        }
    };
    (@reads $reads:expr) => { &$reads };
    (@reads) => { &[] };
    (@by $by:ident) => { Some(Set::$by) };
    (@by) => { None };
}

const UNIX: [&str; 2] = ["unix_sock", "unix_address"];
const PLACE: [&str; 6] = ["file", "path", "mount", "dentry", "inode", "super_block"];

hook_table! {
    1 => Bind4 { program: "bind4", attach: "cgroup/bind4", set: Inet, since: (5, 10), sees: "bind asked, IPv4" },
    2 => Bind6 { program: "bind6", attach: "cgroup/bind6", set: Inet, since: (5, 10), sees: "bind asked, IPv6" },
    3 => PostBind4 { program: "post_bind4", attach: "cgroup/post_bind4", set: Inet, since: (5, 10), sees: "bind done, IPv4" },
    4 => PostBind6 { program: "post_bind6", attach: "cgroup/post_bind6", set: Inet, since: (5, 10), sees: "bind done, IPv6" },
    5 => Connect4 { program: "connect4", attach: "cgroup/connect4", set: Inet, since: (5, 10), sees: "connect, IPv4", replaced_by: Connect },
    6 => Connect6 { program: "connect6", attach: "cgroup/connect6", set: Inet, since: (5, 10), sees: "connect, IPv6", replaced_by: Connect },
    7 => Sendmsg4 { program: "sendmsg4", attach: "cgroup/sendmsg4", set: Inet, since: (5, 10), sees: "UDP send, IPv4" },
    8 => Sendmsg6 { program: "sendmsg6", attach: "cgroup/sendmsg6", set: Inet, since: (5, 10), sees: "UDP send, IPv6" },
    9 => Recvmsg4 { program: "recvmsg4", attach: "cgroup/recvmsg4", set: Inet, since: (5, 10), sees: "UDP receive, IPv4" },
    10 => Recvmsg6 { program: "recvmsg6", attach: "cgroup/recvmsg6", set: Inet, since: (5, 10), sees: "UDP receive, IPv6" },
    11 => SockCreate { program: "sock_create", attach: "cgroup/sock_create", set: Inet, since: (5, 10), sees: "raw, SCTP, ping or other IP socket opened" },
    12 => SockRelease { program: "sock_release", attach: "cgroup/sock_release", set: Inet, since: (5, 10), sees: "UDP socket closed" },
    13 => InetSockSetState { program: "inet_sock_set_state", attach: "tp_btf/inet_sock_set_state", set: Inet, since: (5, 15), sees: "TCP listen, connect outcome, accept, close" },
    14 => SchedProcessExec { program: "sched_process_exec", attach: "tp_btf/sched_process_exec", set: Life, since: (5, 10), sees: "exec", reads: PLACE },
    15 => SchedProcessFork { program: "sched_process_fork", attach: "tp_btf/sched_process_fork", set: Life, since: (5, 10), sees: "fork" },
    16 => SchedProcessExit { program: "sched_process_exit", attach: "tp_btf/sched_process_exit", set: Life, since: (5, 10), sees: "exit" },
    17 => CgroupMkdir { program: "cgroup_mkdir", attach: "tp_btf/cgroup_mkdir", set: Life, since: (5, 10), sees: "cgroup made" },
    18 => CgroupRmdir { program: "cgroup_rmdir", attach: "tp_btf/cgroup_rmdir", set: Life, since: (5, 10), sees: "cgroup removed" },
    19 => CgroupAttachTask { program: "cgroup_attach_task", attach: "tp_btf/cgroup_attach_task", set: Life, since: (5, 10), sees: "task moved to a cgroup" },
    20 => InetBind { program: "inet_bind", attach: "fexit/inet_bind", set: Families, since: (5, 17), sees: "errno of a refused bind, IPv4" },
    21 => Inet6Bind { program: "inet6_bind", attach: "fexit/inet6_bind", set: Families, since: (5, 17), sees: "errno of a refused bind, IPv6" },
    22 => InetStreamConnect { program: "inet_stream_connect", attach: "fexit/inet_stream_connect", set: Families, since: (5, 17), sees: "errno of a TCP connect that sent nothing" },
    23 => InetAccept { program: "inet_accept", attach: "fexit/inet_accept", set: Families, since: (5, 17), sees: "the process that accepted" },
    24 => SocketPostCreate { program: "socket_post_create", attach: "fexit/security_socket_post_create", set: Families, since: (5, 17), sees: "packet, netlink, vsock, XDP and other sockets opened" },
    25 => PacketBind { program: "packet_bind", attach: "fexit/packet_bind", set: Families, since: (5, 17), sees: "packet socket bound", reads: ["packet_sock"] },
    26 => SkAttachFilter { program: "sk_attach_filter", attach: "fexit/sk_attach_filter", set: Families, since: (5, 17), sees: "filter attached to a socket", reads: ["sk_filter", "bpf_prog", "sock_fprog_kern"] },
    27 => NetlinkBind { program: "netlink_bind", attach: "fexit/netlink_bind", set: Families, since: (5, 17), sees: "netlink groups joined" },
    28 => NetlinkUnicast { program: "netlink_unicast", attach: "fentry/netlink_unicast", set: Families, since: (5, 17), sees: "changes asked for by netlink", reads: ["sk_buff"] },
    29 => UnixStreamConnect { program: "unix_stream_connect", attach: "fexit/unix_stream_connect", set: Families, since: (5, 17), sees: "unix stream connect" },
    30 => UnixDgramConnect { program: "unix_dgram_connect", attach: "fexit/unix_dgram_connect", set: Families, since: (5, 17), sees: "unix datagram connect" },
    31 => UnixBind { program: "unix_bind", attach: "fexit/unix_bind", set: Families, since: (5, 17), sees: "unix bind", reads: UNIX },
    32 => UnixListen { program: "unix_listen", attach: "fexit/unix_listen", set: Families, since: (5, 17), sees: "unix listen", reads: UNIX },
    33 => UnixAccept { program: "unix_accept", attach: "fexit/unix_accept", set: Families, since: (5, 17), sees: "unix accept", reads: UNIX },
    34 => UnixDgramSendmsg { program: "unix_dgram_sendmsg", attach: "fexit/unix_dgram_sendmsg", set: Families, since: (5, 17), sees: "unix datagrams to a name", reads: ["msghdr"] },
    35 => SockSendLength { program: "sock_send_length", attach: "tp_btf/sock_send_length", set: FirstUse, since: (6, 3), sees: "first send of a unix, packet, netlink, connected UDP or other socket", reads: ["unix_sock", "unix_address", "packet_sock"] },
    36 => SockRecvLength { program: "sock_recv_length", attach: "tp_btf/sock_recv_length", set: FirstUse, since: (6, 3), sees: "first receive of a unix, packet, netlink or other socket", reads: ["unix_sock", "unix_address", "packet_sock"] },
    37 => TcpV4Connect { program: "tcp_v4_connect", attach: "fentry/tcp_v4_connect", set: Connect, since: (5, 17), sees: "TCP connect, IPv4" },
    38 => TcpV6Connect { program: "tcp_v6_connect", attach: "fentry/tcp_v6_connect", set: Connect, since: (5, 17), sees: "TCP connect, IPv6" },
    39 => InetDgramConnect { program: "inet_dgram_connect", attach: "fentry/inet_dgram_connect", set: Connect, since: (5, 17), sees: "connect of UDP, raw and ping sockets" },
    40 => UdpSendmsg { program: "udp_sendmsg", attach: "fexit/udp_sendmsg", set: Families, since: (5, 17), sees: "first datagram of a connected UDP socket, IPv4", reads: ["msghdr"] },
    41 => Udpv6Sendmsg { program: "udpv6_sendmsg", attach: "fexit/udpv6_sendmsg", set: Families, since: (5, 17), sees: "first datagram of a connected UDP socket, IPv6", reads: ["msghdr"] },
    42 => IpMcJoinGroup { program: "ip_mc_join_group", attach: "fexit/ip_mc_join_group", set: Families, since: (5, 17), sees: "multicast group joined, IPv4" },
    43 => IpMcSource { program: "ip_mc_source", attach: "fexit/ip_mc_source", set: Families, since: (5, 17), sees: "multicast group joined for one source, IPv4" },
    44 => Ipv6SockMcJoin { program: "ipv6_sock_mc_join", attach: "fexit/ipv6_sock_mc_join", set: Families, since: (5, 17), sees: "multicast group joined, IPv6" },
    45 => Ip6McSource { program: "ip6_mc_source", attach: "fexit/ip6_mc_source", set: Families, since: (5, 17), sees: "multicast group joined for one source, IPv6" },
}
