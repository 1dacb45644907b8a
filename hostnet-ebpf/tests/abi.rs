//! The record layout is an interface: a changed line here is a changed ABI, and
//! decoding must hold at every alignment and for every damage.

use hostnet_abi::{
    DecodeError, EventKind, Header, Hook, NAME_WORDS, NetlinkRequest, decode, name_hash,
};
use zerocopy::{FromZeros, IntoBytes};

#[test]
fn ids_names_and_lengths() {
    let table: Vec<String> = EventKind::ALL
        .iter()
        .map(|kind| format!("{} {} {}", *kind as u16, kind.name(), kind.record_length()))
        .collect();
    assert_eq!(
        table,
        [
            "1 bind-asked 84",
            "2 bind 92",
            "3 listen 92",
            "4 connect 84",
            "5 connect-outcome 104",
            "6 accept 112",
            "7 close 120",
            "8 datagram 104",
            "9 datagram-close 104",
            "10 raw-socket 64",
            "11 exec 104",
            "12 fork 88",
            "13 exit 72",
            "14 cgroup-mkdir 72",
            "15 cgroup-rmdir 64",
            "16 cgroup-attach 88",
            "17 bind-refused 68",
            "18 accept-taken 64",
            "19 family-socket 64",
            "20 packet-bind 72",
            "21 socket-filter 72",
            "22 netlink-request 72",
            "23 netlink-bind 68",
            "24 unix 192",
            "25 multicast-join 120",
        ]
    );
}

#[test]
fn hooks_have_their_own_ids_and_programs() {
    for (index, hook) in Hook::ALL.iter().enumerate() {
        assert_eq!(*hook as usize, index + 1);
        assert_eq!(Hook::from_raw(*hook as u16), Some(*hook));
        let same = Hook::ALL.iter().filter(|other| other.program() == hook.program()).count();
        assert_eq!(same, 1, "{} is one program", hook.program());
    }
    assert_eq!(Hook::from_raw(0), None);
}

fn record(kind: EventKind, tail: &[u8]) -> Vec<u8> {
    let mut header = Header::new_zeroed();
    header.kind = kind as u16;
    header.hook = Hook::ALL[0] as u16;
    header.boot_ns = 7;
    header.length = (kind.record_length() + tail.len()) as u32;
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(kind.record_length(), 0);
    bytes.extend_from_slice(tail);
    bytes
}

#[test]
fn every_kind_decodes_at_every_alignment() {
    for kind in EventKind::ALL {
        let bytes = record(*kind, &[]);
        for shift in 0..8 {
            let mut shifted = vec![0xff; shift];
            shifted.extend_from_slice(&bytes);
            let (header, _, decoded, tail) = decode(&shifted[shift..]).unwrap();
            assert_eq!((header.boot_ns, decoded.kind(), tail.len()), (7, *kind, 0));
        }
    }
}

#[test]
fn only_some_kinds_have_a_tail() {
    let has_tail: Vec<&str> = EventKind::ALL
        .iter()
        .filter(|kind| decode(&record(**kind, b"tail")).is_ok())
        .map(|kind| kind.name())
        .collect();
    assert_eq!(has_tail, ["exec", "cgroup-mkdir", "socket-filter"]);
}

#[test]
fn damage_is_named() {
    let good = record(EventKind::Bind, &[]);
    assert_eq!(decode(&good[..10]).err(), Some(DecodeError::TooShort { length: 10 }));
    let cut = &good[..good.len() - 1];
    let wrong = DecodeError::WrongLength { kind: EventKind::Bind, length: cut.len() };
    assert_eq!(decode(cut).err(), Some(wrong));
    let kind = std::mem::offset_of!(Header, kind);
    let mut bytes = good.clone();
    bytes[kind] = 0xee;
    assert_eq!(decode(&bytes).err(), Some(DecodeError::UnknownKind { kind: 0xee }));
    let hook = std::mem::offset_of!(Header, hook);
    let mut bytes = good;
    bytes[hook] = 0xee;
    assert_eq!(decode(&bytes).err(), Some(DecodeError::UnknownHook { hook: 0xee }));
}

/// Both bits of `NLM_F_DUMP`, which in a change mean `NLM_F_REPLACE` and `NLM_F_EXCL`.
const DUMP: u16 = 0x300;
/// `NLM_F_REQUEST`
const REQUEST: u16 = 1;

fn may_change(protocol: u32, message: u16) -> [bool; 2] {
    [REQUEST, REQUEST | DUMP].map(|flags| NetlinkRequest::may_change(protocol, message, flags))
}

#[test]
fn a_netlink_change_is_one_whatever_its_flags_say() {
    const ROUTE: u32 = 0;
    const SOCK_DIAG: u32 = 4;
    const XFRM: u32 = 6;
    const AUDIT: u32 = 9;
    const CONNECTOR: u32 = 11;
    const NETFILTER: u32 = 12;
    let nft = |message: u16| 10 << 8 | message;
    let conntrack = |message: u16| 1 << 8 | message;
    let ipset = |message: u16| 6 << 8 | message;
    for (protocol, message) in [
        // RTM_NEWADDR, RTM_DELROUTE, RTM_SETLINK; a GET that can set.
        (ROUTE, 20),
        (ROUTE, 25),
        (ROUTE, 19),
        (ROUTE, 78),
        (SOCK_DIAG, 21),
        // NEWSA, DELPOLICY, FLUSHSA, SETDEFAULT
        (XFRM, 0x10),
        (XFRM, 0x14),
        (XFRM, 0x1c),
        (XFRM, 0x27),
        // AUDIT_SET, and what has no numbers of its own (`NLMSG_DONE`).
        (AUDIT, 1001),
        (CONNECTOR, 3),
        // NEWTABLE, DELTABLE, DELRULE, GETRULE_RESET, DESTROYTABLE
        (NETFILTER, nft(0)),
        (NETFILTER, nft(2)),
        (NETFILTER, nft(8)),
        (NETFILTER, nft(25)),
        (NETFILTER, nft(26)),
        // NEW, DELETE, GET_CTRZERO
        (NETFILTER, conntrack(0)),
        (NETFILTER, conntrack(2)),
        (NETFILTER, conntrack(3)),
        // CREATE, FLUSH, ADD
        (NETFILTER, ipset(2)),
        (NETFILTER, ipset(4)),
        (NETFILTER, ipset(9)),
        // A subsystem that is not known, and numbers beyond what is.
        (NETFILTER, 200 << 8 | 1),
        (NETFILTER, nft(200)),
    ] {
        assert_eq!(may_change(protocol, message), [true; 2], "{protocol} {message:#x}");
    }
    for (protocol, message) in [
        // RTM_GETROUTE; SOCK_DIAG_BY_FAMILY; GETSA, GETPOLICY, GETDEFAULT
        (ROUTE, 26),
        (SOCK_DIAG, 20),
        (XFRM, 0x12),
        (XFRM, 0x15),
        (XFRM, 0x28),
        // The ends of a batch; GETTABLE, GETRULE, GETFLOWTABLE
        (NETFILTER, 0x10),
        (NETFILTER, 0x11),
        (NETFILTER, nft(1)),
        (NETFILTER, nft(7)),
        (NETFILTER, nft(23)),
        // GET, GET_UNCONFIRMED; LIST, TEST, GET_BYINDEX; the only one of NFT_COMPAT
        (NETFILTER, conntrack(1)),
        (NETFILTER, conntrack(7)),
        (NETFILTER, ipset(7)),
        (NETFILTER, ipset(11)),
        (NETFILTER, ipset(15)),
        (NETFILTER, 11 << 8),
    ] {
        assert_eq!(may_change(protocol, message), [false; 2], "{protocol} {message:#x}");
    }
    // Generic netlink does look at the flags.
    assert_eq!(may_change(16, 0x20), [true, false]);
}

/// The words of a name, as the programs read it.
fn words(name: &[u8]) -> [u64; NAME_WORDS] {
    let mut words = [0_u64; NAME_WORDS];
    words.as_mut_bytes()[..name.len()].copy_from_slice(name);
    words
}

/// Of a hash whose constants are known, the last word follows from the first: such a name
/// for each of these, of the same length, with FNV-1a over words.
#[test]
fn names_that_are_made_to_look_alike_are_told_apart() {
    const PRIME: u64 = 0x0100_0000_01b3;
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    let unkeyed = |words: &[u64; NAME_WORDS], length: u64| {
        words.iter().fold(OFFSET ^ length, |hash, word| (hash ^ word).wrapping_mul(PRIME))
    };
    for target in [&b"/run/systemd/journal/socket"[..], b"/var/run/docker.sock"] {
        let length = target.len() as u32;
        let named = words(target);
        let mut decoy = named;
        decoy[0] ^= 0x0101_0000;
        let start = OFFSET ^ u64::from(length);
        let after = |word: u64| (start ^ word).wrapping_mul(PRIME);
        decoy[1] = after(named[0]) ^ named[1] ^ after(decoy[0]);
        assert_eq!(unkeyed(&decoy, length.into()), unkeyed(&named, length.into()));
        let keys = |index: usize| 0x2545_f491_4f6c_dd1d_u64.wrapping_mul(2 * index as u64 + 3);
        assert_ne!(name_hash(&decoy, length, keys), name_hash(&named, length, keys));
        // Nor is one that ends in NULs the one without them.
        assert_ne!(name_hash(&named, length + 1, keys), name_hash(&named, length, keys));
    }
}

#[test]
fn which_names_share_a_hash_depends_on_the_keys() {
    // Two names that differ by a product that their keys make equal: halves swapped.
    let key = 0x1234_5678_1234_5678_u64;
    let (one, other) = (words(b"abcdefgh"), words(b"efghabcd"));
    let hash = |words, key: u64| name_hash(words, 8, |_| key);
    assert_eq!(hash(&one, key), hash(&other, key), "the keys of both halves are the same");
    assert_ne!(hash(&one, key + 1), hash(&other, key + 1));
}
