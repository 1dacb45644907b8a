//! Attaching the programs, set by set, and saying what became of each hook.
//!
//! `inet` and `life` are attached whole, or there is nothing to observe with;
//! only hooks that need a later kernel may be missing, and are stated. Beyond IP a
//! kernel may lack a function or refuse the program type: then the rest still works,
//! and the coverage statement names what is missing.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};
use aya::{
    Ebpf,
    programs::{
        CgroupAttachMode, CgroupSock, CgroupSockAddr, CgroupSockAddrAttachType,
        CgroupSockAttachType, Program, links::FdLink,
    },
};
use clap::ValueEnum;
use hostnet_abi::{Hook, Set};
use serde::{Deserialize, Serialize};

use super::{CgroupRoot, Coverage, State, btf::Named, complaint::brief, coverage::NOT_PERMITTED};

/// How sockets beyond IP are seen: unix, packet, netlink and the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BeyondIp {
    /// Set `families` where the kernel takes it, else `first-use`.
    #[default]
    Auto,
    /// Set `families`: each operation as it happens.
    Families,
    /// Set `first-use`: each socket when it first sends or receives.
    FirstUse,
    /// Not at all.
    Off,
}

/// What keeps programs attached: while it is there, and while it is pinned.
pub type Links = BTreeMap<Hook, FdLink>;

/// What attaching needs.
pub struct Attacher<'a> {
    pub ebpf: &'a mut Ebpf,
    pub root: &'a CgroupRoot,
    pub btf: &'a aya::Btf,
    /// Release of the running kernel, major and minor.
    pub kernel: (u32, u32),
    /// Programs of others may change or refuse addresses: ours has to be beside
    /// them to see what was asked for.
    pub others_rewrite: bool,
    /// Fields this kernel lacks: their struct and what to say of them.
    pub missing: &'a [(&'static str, String)],
    /// What is attached so far.
    pub links: Links,
}

impl Attacher<'_> {
    /// Attaches what is always on and what was chosen.
    ///
    /// # Errors
    /// When a hook of `inet` or `life` cannot be attached.
    pub fn sets(&mut self, beyond_ip: BeyondIp, without: &[Hook]) -> Result<Coverage> {
        let mut coverage = Coverage::default();
        for hook in without {
            coverage.set(*hook, State::Disabled("by configuration".to_owned()));
        }
        // In the table attempts come before outcomes. Attached the other way round, no attempt
        // is seen whose outcome is not.
        let (replaceable, others): (Vec<_>, Vec<_>) =
            hooks(Set::Inet, without).rev().partition(|hook| hook.replaced_by().is_some());
        for hook in others.into_iter().chain(hooks(Set::Life, without)) {
            coverage.set(hook, self.needed(hook)?);
        }
        let is_allowed = matches!(beyond_ip, BeyondIp::Auto | BeyondIp::Families);
        if is_allowed && !self.others_rewrite && self.whole(Set::Connect, without) {
            hooks(Set::Connect, &[])
                .for_each(|hook| coverage.set(hook, State::Unproven(NOT_RUN.to_owned())));
        }
        for hook in replaceable {
            if !hook.replaced_by().is_some_and(|set| coverage.has(set)) {
                coverage.set(hook, self.needed(hook)?);
            }
        }
        if without.is_empty() && (!coverage.has(Set::Inet) || !coverage.has(Set::Life)) {
            bail!("this kernel is too old: hostnet needs Linux 5.10 or later");
        }
        if is_allowed {
            self.as_far_as_possible(Set::Families, without, &mut coverage);
        }
        let is_refused = !coverage.has(Set::Families);
        if beyond_ip == BeyondIp::FirstUse || (beyond_ip == BeyondIp::Auto && is_refused) {
            self.as_far_as_possible(Set::FirstUse, without, &mut coverage);
        }
        for hook in coverage.attached().collect::<Vec<_>>() {
            let program = self.ebpf.program(hook.program());
            let info = program.and_then(|program| program.info().ok());
            if let Some(count) = info.and_then(|info| info.verified_instruction_count()) {
                coverage.note_instructions(hook, count);
            }
        }
        Ok(coverage)
    }

    /// Every hook on its own, for `doctor` when the sets cannot be attached.
    pub fn each(&mut self) -> Coverage {
        let mut coverage = Coverage::default();
        for hook in Hook::ALL.iter().copied() {
            let state = match self.hook(hook) {
                Ok(()) => State::Unproven("it can be attached, but another hook cannot".to_owned()),
                Err(error) => State::Refused(brief(&format!("{error:#}"))),
            };
            coverage.set(hook, state);
        }
        coverage
    }

    /// A hook without which there is nothing to observe with, unless the kernel
    /// is known to be too old for it.
    fn needed(&mut self, hook: Hook) -> Result<State> {
        match self.hook(hook) {
            Ok(()) => Ok(State::Unproven(NOT_RUN.to_owned())),
            Err(_older_kernel) if self.kernel < hook.since() => Ok(needs(hook)),
            Err(error) => {
                let (attach_point, set) = (hook.attach_point(), hook.set().name());
                Err(error.context(format!("cannot attach {attach_point} (set {set})")))
            }
        }
    }

    /// All of a set that stands in for other hooks, or nothing of it.
    fn whole(&mut self, set: Set, without: &[Hook]) -> bool {
        let all = || hooks(set, &[]);
        let attached = all().all(|hook| !without.contains(&hook) && self.hook(hook).is_ok());
        if !attached {
            for hook in all() {
                self.links.remove(&hook);
                if let Some(Program::FEntry(program)) = self.ebpf.program_mut(hook.program()) {
                    // An error says that it was not loaded.
                    drop(program.unload());
                }
            }
        }
        attached
    }

    fn as_far_as_possible(&mut self, set: Set, without: &[Hook], coverage: &mut Coverage) {
        let mut is_first = true;
        let mut refusal = None;
        for hook in hooks(set, without) {
            let outcome = match &refusal {
                Some(reason) => Err(String::clone(reason)),
                None => self.hook(hook).map_err(|error| brief(&format!("{error:#}"))),
            };
            let state = match outcome {
                Ok(()) => State::Unproven(NOT_RUN.to_owned()),
                Err(_older_kernel) if self.kernel < hook.since() => needs(hook),
                Err(reason) => {
                    // Where the first is not allowed none is, and each try takes its time.
                    if is_first && reason.contains(NOT_PERMITTED) {
                        refusal = Some(reason.clone());
                    }
                    State::Refused(reason)
                }
            };
            is_first = false;
            coverage.set(hook, state);
        }
    }

    fn hook(&mut self, hook: Hook) -> Result<()> {
        let lacks = self.missing.iter().find(|(of, _)| hook.reads().contains(of));
        if let Some((_, what)) = lacks {
            bail!("{what}");
        }
        let program =
            self.ebpf.program_mut(hook.program()).context("the eBPF object has no such program")?;
        let name = function(hook).unwrap_or(hook.program());
        // `Single` is flags 0: as a bpf_link the kernel lets it coexist with other
        // programs, while the flag for "multiple" is refused for links (EINVAL).
        let link: FdLink = match program {
            Program::CgroupSockAddr(program) => {
                program.load()?;
                let link = program.attach(self.root, CgroupAttachMode::Single)?;
                program.take_link(link)?.try_into()?
            }
            Program::CgroupSock(program) => {
                program.load()?;
                let link = program.attach(self.root, CgroupAttachMode::Single)?;
                program.take_link(link)?.try_into()?
            }
            Program::BtfTracePoint(program) => {
                program.load(name, self.btf)?;
                let link = program.attach()?;
                program.take_link(link)?.into()
            }
            Program::FEntry(program) => {
                program.load(name, self.btf)?;
                let link = program.attach()?;
                program.take_link(link)?.into()
            }
            Program::FExit(program) => {
                program.load(name, self.btf)?;
                let link = program.attach()?;
                program.take_link(link)?.into()
            }
            other => bail!("unexpected program type {:?}", other.prog_type()),
        };
        self.links.insert(hook, link);
        Ok(())
    }
}

/// Attaches the program of a cgroup hook once more.
///
/// # Errors
/// When the kernel does not take it, or it is another kind of hook.
pub fn again(program: &mut Program, root: &CgroupRoot, hook: Hook) -> Result<FdLink> {
    let single = CgroupAttachMode::Single;
    let attached = match program {
        Program::CgroupSockAddr(program) => {
            let link = program.attach(root, single)?;
            program.take_link(link)?.try_into()
        }
        Program::CgroupSock(program) => {
            let link = program.attach(root, single)?;
            program.take_link(link)?.try_into()
        }
        other => bail!("a program of type {:?} cannot be detached", other.prog_type()),
    };
    attached.with_context(|| format!("cannot attach {} again", hook.attach_point()))
}

/// The program of a cgroup hook, from where it is pinned.
///
/// # Errors
/// When it is not there, or it is another kind of hook.
pub fn pinned(path: &Path, hook: Hook) -> Result<Program> {
    use CgroupSockAddrAttachType as Address;
    use CgroupSockAttachType as Socket;
    let address = |kind| CgroupSockAddr::from_pin(path, kind).map(Program::CgroupSockAddr);
    let socket = |kind| CgroupSock::from_pin(path, kind).map(Program::CgroupSock);
    let program = match hook {
        Hook::Bind4 => address(Address::Bind4),
        Hook::Bind6 => address(Address::Bind6),
        Hook::Connect4 => address(Address::Connect4),
        Hook::Connect6 => address(Address::Connect6),
        Hook::Sendmsg4 => address(Address::UDPSendMsg4),
        Hook::Sendmsg6 => address(Address::UDPSendMsg6),
        Hook::Recvmsg4 => address(Address::UDPRecvMsg4),
        Hook::Recvmsg6 => address(Address::UDPRecvMsg6),
        Hook::PostBind4 => socket(Socket::PostBind4),
        Hook::PostBind6 => socket(Socket::PostBind6),
        Hook::SockCreate => socket(Socket::SockCreate),
        Hook::SockRelease => socket(Socket::SockRelease),
        _ => bail!("{} is not a hook of cgroups", hook.attach_point()),
    };
    program.with_context(|| format!("cannot use what is pinned at {}", path.display()))
}

/// What can be said of programs that an agent before this one has attached.
pub fn adopted(links: &Links, beyond_ip: BeyondIp, without: &[Hook]) -> Coverage {
    let mut coverage = Coverage::default();
    for hook in links.keys() {
        coverage.set(*hook, State::Unproven(NOT_RUN.to_owned()));
    }
    for hook in without {
        coverage.set(*hook, State::Disabled("by configuration".to_owned()));
    }
    let has = |set| links.keys().any(|hook| hook.set() == set);
    for hook in Hook::ALL.iter().filter(|hook| !links.contains_key(hook)) {
        let is_wanted = match hook.set() {
            Set::Inet | Set::Life => !hook.replaced_by().is_some_and(has),
            Set::Families => matches!(beyond_ip, BeyondIp::Auto | BeyondIp::Families),
            Set::FirstUse => beyond_ip == BeyondIp::FirstUse || has(Set::FirstUse),
            Set::Connect => false,
        };
        if is_wanted && !without.contains(hook) {
            let reason = "refused when these programs were attached, by an agent before this one";
            coverage.set(*hook, State::Refused(reason.to_owned()));
        }
    }
    coverage
}

fn needs(hook: Hook) -> State {
    let (major, minor) = hook.since();
    State::Refused(format!("needs Linux {major}.{minor}"))
}

const NOT_RUN: &str = "the canary has not run";

/// Whether a program is attached by this name of the kernel's type information.
pub fn is_attached_by(kind: Named, name: &str) -> bool {
    Hook::ALL.iter().any(|hook| {
        let is_tracepoint = hook.attach_point().starts_with("tp_btf/");
        match (kind, function(*hook)) {
            (Named::Typedef, Some(point)) if is_tracepoint => {
                name.strip_prefix("btf_trace_") == Some(point)
            }
            (Named::Function, Some(point)) if !is_tracepoint => name == point,
            _ => false,
        }
    })
}

/// The kernel's own name of what a tracing program is attached to.
fn function(hook: Hook) -> Option<&'static str> {
    let (kind, name) = hook.attach_point().split_once('/')?;
    matches!(kind, "tp_btf" | "fentry" | "fexit").then_some(name)
}

fn hooks(set: Set, without: &[Hook]) -> impl DoubleEndedIterator<Item = Hook> {
    Hook::ALL.iter().copied().filter(move |hook| hook.set() == set && !without.contains(hook))
}
