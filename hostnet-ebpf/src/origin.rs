//! What a record says beside its payload: which hook, who acted, whose it is, which socket.

use aya_ebpf::bindings::bpf_sock;
use hostnet_abi::{EventKind, Header, Hook};

use crate::{owner::Owner, task::Actor};

/// What a record says beside its payload.
#[derive(Clone, Copy)]
pub struct Origin {
    pub hook: Hook,
    pub actor: Actor,
    /// Whose budget it is told from.
    pub owner: Owner,
    pub created_in: CreatedIn,
    pub cookie: u64,
}

/// The cgroup a record's socket was created in.
#[derive(Clone, Copy)]
pub enum CreatedIn {
    /// The record is not about a socket.
    None,
    /// This one.
    Cgroup(u64),
    /// To be read from the socket of a cgroup program, which has no BTF type.
    Socket(*const bpf_sock),
}

impl Origin {
    /// A record about a task or a cgroup, not a socket.
    #[inline(always)]
    pub fn of_task(hook: Hook, actor: Actor) -> Self {
        let owner = Owner::of(actor.cgroup);
        Self { hook, actor, owner, created_in: CreatedIn::None, cookie: 0 }
    }

    #[inline(always)]
    fn known_cgroup(self) -> u64 {
        if let CreatedIn::Cgroup(id) = self.created_in { id } else { 0 }
    }

    #[inline(always)]
    pub fn header(self, kind: EventKind, length: usize, boot_ns: u64) -> Header {
        Header {
            boot_ns,
            task_cgroup: self.actor.cgroup,
            socket_cgroup: self.known_cgroup(),
            cookie: self.cookie,
            tgid: self.actor.tgid(),
            tid: self.actor.tgid_tid as u32,
            uid: self.actor.gid_uid as u32,
            gid: (self.actor.gid_uid >> 32) as u32,
            kind: kind as u16,
            hook: self.hook as u16,
            length: length as u32,
        }
    }
}
