//! The record layout is an interface: a changed line here is a changed ABI, and
//! decoding must hold at every alignment and for every damage.

use hostnet_abi::{DecodeError, EventKind, Header, Hook, decode};
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
            "9 datagram-close 84",
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
