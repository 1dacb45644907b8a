//! What somebody with root's powers does to an agent: detaches its programs, empties
//! its maps. Both are found by what the kernel says of the agent's own descriptors.

use std::{
    fs,
    os::fd::{AsRawFd as _, OwnedFd},
};

use crate::{Agent, bpf};

// enum bpf_cmd (include/uapi/linux/bpf.h)
const BPF_MAP_UPDATE_ELEM: i32 = 2;
const BPF_MAP_DELETE_ELEM: i32 = 3;
const BPF_MAP_GET_NEXT_KEY: i32 = 4;
const BPF_MAP_GET_FD_BY_ID: i32 = 14;
const BPF_LINK_GET_FD_BY_ID: i32 = 30;
const BPF_LINK_DETACH: i32 = 34;

/// `enum bpf_attach_type` of `cgroup/bind4`.
pub const BPF_CGROUP_INET4_BIND: u32 = 8;

/// Detaches the agent's cgroup program of an attach type.
pub fn detach(agent: &Agent, attach_type: u32) {
    let wanted = attach_type.to_string();
    let is_it = |text: &str| value(text, "attach_type:") == Some(&wanted);
    let link = by_id(BPF_LINK_GET_FD_BY_ID, &id(agent, "link_id:", is_it));
    bpf::call(BPF_LINK_DETACH, &mut [link.as_raw_fd() as u64]).expect("a link can be detached");
}

/// Empties the agent's map with keys and values of these sizes, and so many entries.
pub fn wipe(agent: &Agent, key: usize, value_size: usize, entries: u32) {
    let map = map(agent, key, value_size, entries);
    let mut first = vec![0_u8; key];
    let fd = map.as_raw_fd() as u64;
    while bpf::call(BPF_MAP_GET_NEXT_KEY, &mut [fd, 0, first.as_mut_ptr() as u64]).is_ok() {
        // One that a program has removed meanwhile is gone as well.
        let _gone = bpf::call(BPF_MAP_DELETE_ELEM, &mut [fd, first.as_ptr() as u64]);
    }
}

/// Fills the agent's map with keys that nothing has, until there is no room.
pub fn fill(agent: &Agent, key: usize, value_size: usize, entries: u32) {
    let map = map(agent, key, value_size, entries);
    let (fd, value) = (map.as_raw_fd() as u64, vec![0_u8; value_size]);
    let mut bytes = vec![0_u8; key];
    let is_taken = |number: &u64| {
        bytes[..8].copy_from_slice(&number.to_ne_bytes());
        let entry = &mut [fd, bytes.as_ptr() as u64, value.as_ptr() as u64];
        bpf::call(BPF_MAP_UPDATE_ELEM, entry).is_ok()
    };
    let taken = (1 << 48..).take_while(is_taken).count();
    assert!(taken <= entries as usize, "it has room without end");
}

/// Whether the kernel refuses to remove the first entry of the agent's map with keys and
/// values of these sizes, and so many entries.
pub fn refuses_removal(agent: &Agent, key: usize, value_size: usize, entries: u32) -> bool {
    let map = map(agent, key, value_size, entries);
    let mut first = vec![0_u8; key];
    let fd = map.as_raw_fd() as u64;
    bpf::call(BPF_MAP_GET_NEXT_KEY, &mut [fd, 0, first.as_mut_ptr() as u64]).expect("an entry");
    let removed = bpf::call(BPF_MAP_DELETE_ELEM, &mut [fd, first.as_ptr() as u64]);
    removed.is_err_and(|error| error.raw_os_error() == Some(libc::EPERM))
}

fn map(agent: &Agent, key: usize, value_size: usize, entries: u32) -> OwnedFd {
    let is_it = |text: &str| is_map(text, key, value_size, entries);
    by_id(BPF_MAP_GET_FD_BY_ID, &id(agent, "map_id:", is_it))
}

/// Whether the kernel says of a descriptor that it is a map of these sizes.
fn is_map(text: &str, key: usize, value_size: usize, entries: u32) -> bool {
    let sizes = [
        ("key_size:", key.to_string()),
        ("value_size:", value_size.to_string()),
        ("max_entries:", entries.to_string()),
    ];
    sizes.iter().all(|(name, size)| value(text, name) == Some(size))
}

/// The id of something that the agent holds.
fn id(agent: &Agent, name: &str, is_it: impl Fn(&str) -> bool) -> String {
    let directory = format!("/proc/{}/fdinfo", agent.pid());
    let entries = fs::read_dir(&directory).expect("the agent runs").filter_map(Result::ok);
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let mut found = texts.filter(|text| is_it(text));
    let text = found.find_map(|text| value(&text, name).map(str::to_owned));
    text.unwrap_or_else(|| panic!("the agent holds no such thing with a {name}"))
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn by_id(command: i32, id: &str) -> OwnedFd {
    let id: u64 = id.parse().expect("a number");
    bpf::open(command, &mut [id]).expect("it is there")
}
