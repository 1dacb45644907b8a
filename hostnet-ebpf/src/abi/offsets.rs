//! Where kernel fields live on the running kernel.
//!
//! rustc emits no CO-RE relocations, so the agent looks every offset up in the
//! kernel's BTF before load and hands them over as one read-only global. The
//! table below is the only list: the struct the programs read and the names the
//! agent resolves both come from it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! offset_table {
    ($($field:ident = $type:literal . $path:literal $(or $older:literal)?),+ $(,)?) => {
        /// Byte offsets, one per row of the table; of a path that ends in `:bit`
        /// the bit within the byte at which the member begins.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
        pub struct Offsets { $(
            #[doc = concat!("`", $type, ".", $path, "`")]
            pub $field: u32
        ),+ }

        impl Offsets {
            /// Rows as (struct, member path, the path on older kernels); a path
            /// may go through nested members.
            pub const TABLE: &'static [(&'static str, &'static str, Option<&'static str>)] =
                &[$(($type, $path, offset_table!(@older $($older)?))),+];

            /// What the object holds until the loader writes the real values.
            pub const UNSET: Self = Self { $($field: 0),+ };

            /// Builds the struct by asking `resolve` for each row in turn. What
            /// cannot be resolved is `UNSET`: no hook whose
            /// [`reads`](crate::Hook::reads) has that struct may be attached.
            pub fn resolve(
                mut resolve: impl FnMut(
                    &'static str,
                    &'static str,
                    Option<&'static str>,
                ) -> Option<u32>,
            ) -> Self {
                Self { $(
                    $field: resolve($type, $path, offset_table!(@older $($older)?))
                        .unwrap_or(Self::UNSET.$field)
                ),+ }
            }
        }
    };
    (@older $older:literal) => { Some($older) };
    (@older) => { None };
}

offset_table! {
    sock_family = "sock"."__sk_common.skc_family",
    sock_reuse_bits = "sock"."__sk_common.skc_reuse",
    sock_bound_dev_if = "sock"."__sk_common.skc_bound_dev_if",
    sock_user_locks = "sock"."sk_userlocks",
    sock_user_locks_bit = "sock"."sk_userlocks:bit",
    sock_peer_pid = "sock"."sk_peer_pid",
    sock_net = "sock"."__sk_common.skc_net.net",
    sock_daddr = "sock"."__sk_common.skc_daddr",
    sock_rcv_saddr = "sock"."__sk_common.skc_rcv_saddr",
    sock_v6_daddr = "sock"."__sk_common.skc_v6_daddr",
    sock_v6_rcv_saddr = "sock"."__sk_common.skc_v6_rcv_saddr",
    sock_dport = "sock"."__sk_common.skc_dport",
    sock_num = "sock"."__sk_common.skc_num",
    sock_type = "sock"."sk_type",
    sock_protocol = "sock"."sk_protocol",
    sock_err = "sock"."sk_err",
    sock_flags = "sock"."__sk_common.skc_flags",
    sock_max_ack_backlog = "sock"."sk_max_ack_backlog",
    // Before 5.15 the pointer shares its word with a tag that is zero unless
    // net_cls or net_prio is in use.
    sock_cgroup = "sock"."sk_cgrp_data.cgroup" or "sk_cgrp_data.val",
    tcp_sport = "tcp_sock"."inet_conn.icsk_inet.inet_sport",
    tcp_bytes_sent = "tcp_sock"."bytes_sent",
    tcp_bytes_retrans = "tcp_sock"."bytes_retrans",
    tcp_bytes_received = "tcp_sock"."bytes_received",
    net_inum = "net"."ns.inum",
    cgroup_kn = "cgroup"."kn",
    cgroup_root = "cgroup"."root",
    cgroup_root_hierarchy_id = "cgroup_root"."hierarchy_id",
    kernfs_node_id = "kernfs_node"."id",
    task_pid = "task_struct"."pid",
    task_tgid = "task_struct"."tgid",
    task_real_parent = "task_struct"."real_parent",
    task_group_leader = "task_struct"."group_leader",
    task_mm = "task_struct"."mm",
    task_cgroups = "task_struct"."cgroups",
    task_cred = "task_struct"."cred",
    cred_uid = "cred"."uid.val",
    cred_gid = "cred"."gid.val",
    css_set_dfl_cgrp = "css_set"."dfl_cgrp",
    task_nsproxy = "task_struct"."nsproxy",
    task_signal = "task_struct"."signal",
    task_pid_links = "task_struct"."pid_links",
    task_thread_pid = "task_struct"."thread_pid",
    task_start_boottime = "task_struct"."start_boottime",
    task_exit_code = "task_struct"."exit_code",
    signal_live = "signal_struct"."live.counter",
    nsproxy_net = "nsproxy"."net_ns",
    nsproxy_mnt = "nsproxy"."mnt_ns",
    mnt_namespace_inum = "mnt_namespace"."ns.inum",
    pid_tasks = "pid"."tasks",
    pid_level = "pid"."level",
    pid_numbers = "pid"."numbers",
    mm_arg_start = "mm_struct"."arg_start",
    mm_arg_end = "mm_struct"."arg_end",
    linux_binprm_filename = "linux_binprm"."filename",
    linux_binprm_file = "linux_binprm"."file",
    linux_binprm_argc = "linux_binprm"."argc",
    task_fs = "task_struct"."fs",
    fs_pwd = "fs_struct"."pwd",
    file_path = "file"."f_path",
    path_mnt = "path"."mnt",
    path_dentry = "path"."dentry",
    mount_vfsmount = "mount"."mnt",
    mount_root = "mount"."mnt.mnt_root",
    mount_parent = "mount"."mnt_parent",
    mount_mountpoint = "mount"."mnt_mountpoint",
    mount_namespace = "mount"."mnt_ns",
    dentry_parent = "dentry"."d_parent",
    dentry_name = "dentry"."d_name.name",
    dentry_hashed = "dentry"."d_hash.pprev",
    dentry_inode = "dentry"."d_inode",
    inode_number = "inode"."i_ino",
    inode_file_system = "inode"."i_sb",
    file_system_device = "super_block"."s_dev",
    socket_sk = "socket"."sk",
    unix_addr = "unix_sock"."addr",
    unix_peer = "unix_sock"."peer",
    unix_address_len = "unix_address"."len",
    unix_address_name = "unix_address"."name",
    msghdr_name = "msghdr"."msg_name",
    msghdr_namelen = "msghdr"."msg_namelen",
    packet_num = "packet_sock"."num",
    packet_ifindex = "packet_sock"."ifindex",
    sock_filter = "sock"."sk_filter",
    filter_prog = "sk_filter"."prog",
    prog_orig = "bpf_prog"."orig_prog",
    fprog_len = "sock_fprog_kern"."len",
    fprog_filter = "sock_fprog_kern"."filter",
    skb_data = "sk_buff"."data",
    skb_len = "sk_buff"."len",
}
