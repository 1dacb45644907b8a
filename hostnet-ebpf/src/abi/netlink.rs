//! Netlink: what a process asks the kernel to change or to report.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Repeats, Socket, Subject, repeat::of_socket};

/// A message that asks the kernel to change something.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetlinkRequest {
    /// The socket; its protocol says which part of the kernel is asked.
    pub socket: Socket,
    /// `nlmsg_type`, such as `RTM_NEWADDR`.
    pub message: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// Bytes of the buffer from this message on, when it is one more than are
    /// looked at: whatever it and those behind it ask for. Else 0.
    pub unread: u32,
}

impl Repeats for NetlinkRequest {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.message.into())
    }
}

impl NetlinkRequest {
    /// Whether such a message may change something. `NLMSG_NOOP` is taken for one: nobody
    /// sends it but the agent, to prove that its program runs.
    ///
    /// Most parts of the kernel tell a question from a change by the message alone, and
    /// read the two bits of `NLM_F_DUMP` in a change as `NLM_F_REPLACE` and `NLM_F_EXCL`.
    /// Of parts that are not listed here every message counts.
    #[inline(always)]
    #[must_use]
    pub const fn may_change(protocol: u32, message: u16, flags: u16) -> bool {
        match protocol {
            _ if message == NLMSG_NOOP => true,
            NETLINK_FIB_LOOKUP => false,
            NETLINK_ROUTE => {
                message >= NLMSG_MIN_TYPE && message & 3 != RTM_GET || message == RTM_GETDCB
            }
            NETLINK_SOCK_DIAG => message == SOCK_DESTROY,
            // `xfrm_user_rcv_msg` (net/xfrm/xfrm_user.c).
            NETLINK_XFRM => {
                message >= NLMSG_MIN_TYPE && !is_in(XFRM_QUESTIONS, message - NLMSG_MIN_TYPE)
            }
            NETLINK_NETFILTER if matches!(message, NFNL_MSG_BATCH_BEGIN | NFNL_MSG_BATCH_END) => {
                false
            }
            NETLINK_NETFILTER => {
                message >= NLMSG_MIN_TYPE
                    && !is_in(nfnetlink_questions(message >> 8), message & 0xff)
            }
            // `genl_family_rcv_msg` (net/netlink/genetlink.c) looks at the flags.
            NETLINK_GENERIC => message >= NLMSG_MIN_TYPE && flags & NLM_F_DUMP != NLM_F_DUMP,
            _ => true,
        }
    }
}

// include/uapi/linux/netlink.h
const NLMSG_NOOP: u16 = 1;
const NLMSG_MIN_TYPE: u16 = 16;
const NLM_F_DUMP: u16 = 0x300;
const NETLINK_ROUTE: u32 = 0;
const NETLINK_SOCK_DIAG: u32 = 4;
const NETLINK_XFRM: u32 = 6;
const NETLINK_FIB_LOOKUP: u32 = 10;
const NETLINK_NETFILTER: u32 = 12;
const NETLINK_GENERIC: u32 = 16;
// include/uapi/linux/rtnetlink.h: types come in fours, NEW, DEL, GET, SET.
const RTM_GET: u16 = 2;
/// Its own header says whether it asks or sets (`dcb_doit`, net/dcb/dcbnl.c).
const RTM_GETDCB: u16 = 78;
// include/uapi/linux/sock_diag.h
const SOCK_DESTROY: u16 = 21;
// include/uapi/linux/netfilter/nfnetlink.h
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
/// `XFRM_MSG_GET…`: SA, POLICY, AE, SADINFO, SPDINFO, DEFAULT (include/uapi/linux/xfrm.h).
const XFRM_QUESTIONS: u64 = 1 << 2 | 1 << 5 | 1 << 15 | 1 << 19 | 1 << 21 | 1 << 24;

/// Which messages of a subsystem of nfnetlink change nothing. Those that read counters
/// and set them to zero do (include/uapi/linux/netfilter/).
#[inline(always)]
const fn nfnetlink_questions(subsystem: u16) -> u64 {
    match subsystem {
        // CTNETLINK: GET, GET_STATS_CPU, GET_STATS, GET_DYING, GET_UNCONFIRMED
        1 => 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7,
        // CTNETLINK_EXP: GET, GET_STATS_CPU
        2 => 1 << 1 | 1 << 3,
        // IPSET: PROTOCOL, LIST, SAVE, TEST, HEADER, TYPE, GET_BYNAME, GET_BYINDEX
        6 => 1 << 1 | 0b11 << 7 | 0b1_1111 << 11,
        // ACCT and CTHELPER: GET
        7 | 9 => 1 << 1,
        // CTNETLINK_TIMEOUT: GET, DEFAULT_GET
        8 => 1 << 1 | 1 << 4,
        // NFTABLES: GETTABLE, GETCHAIN, GETRULE, GETSET, GETSETELEM, GETGEN, GETOBJ,
        // GETFLOWTABLE
        10 => 1 << 1 | 1 << 4 | 1 << 7 | 1 << 10 | 1 << 13 | 1 << 16 | 1 << 19 | 1 << 23,
        // NFT_COMPAT and HOOK: GET
        11 | 12 => 1,
        _ => 0,
    }
}

#[inline(always)]
const fn is_in(set: u64, number: u16) -> bool {
    number < 64 && set >> number & 1 == 1
}

/// A netlink socket joined multicast groups by `bind(2)`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetlinkBind {
    /// The socket.
    pub socket: Socket,
    /// The first 32 groups as a mask, group 1 in the lowest bit.
    pub groups: u32,
}

impl Repeats for NetlinkBind {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.groups)
    }
}
