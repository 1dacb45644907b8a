//! Whether the agent still sees: every few seconds it looks for its links and maps
//! and does something itself that has to come back. What it finds it says in health
//! events; the pipeline asks.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
};

use anyhow::{Context as _, Result};
use hostnet_abi::{Header, Hook};
use rustix::net::sockopt::socket_cookie;
use sd_notify::NotifyState;

use crate::{
    event::Health,
    kernel::{self, Programs, State},
};

/// How often it is looked, nanoseconds.
const EVERY_NS: u64 = 5_000_000_000;

/// How long an operation may take to come back, by the records' time.
const PATIENCE_NS: u64 = 2_000_000_000;

/// The pipeline looks at the ring every 50 ms; when it has not for so long, it was
/// stopped, or the machine was.
const STALL_NS: u64 = 3_000_000_000;

/// What the canary's operation goes through: binds and listens of host processes are
/// told whatever their cgroup's class is.
const CANARY: [Hook; 3] = [Hook::Bind4, Hook::PostBind4, Hook::InetSockSetState];

/// The watch.
#[derive(Default)]
pub struct Vigil {
    looked_ns: u64,
    turned_ns: u64,
    asked: Option<Asked>,
    /// Hooks that did not answer the last time, or are detached.
    silent: BTreeSet<Hook>,
    marks: Marks,
}

/// What the marks in maps say.
#[derive(Default)]
struct Marks {
    wiped: BTreeSet<&'static str>,
    /// Those without a mark; `None` before the first look.
    unmarked: Option<BTreeSet<&'static str>>,
}

impl Marks {
    /// Marks are gone from some maps, and then these took none. Returns what is to be told.
    fn looked(
        &mut self,
        mut gone: BTreeSet<&'static str>,
        unmarked: BTreeSet<&'static str>,
    ) -> Vec<Health> {
        let mut news = Vec::new();
        let names = |maps: &BTreeSet<&str>| maps.iter().map(|map| (*map).to_owned()).collect();
        match &self.unmarked {
            Some(before) => gone.retain(|map| !before.contains(map)),
            None => gone.clear(),
        }
        if !gone.is_subset(&self.wiped) {
            news.push(Health::MapsWiped { maps: names(&gone) });
        }
        self.wiped = gone;
        if !self.unmarked.as_ref().is_some_and(|before| unmarked.is_subset(before))
            && !unmarked.is_empty()
        {
            news.push(Health::MapsUnmarked { maps: names(&unmarked) });
        }
        self.unmarked = Some(unmarked);
        news
    }
}

/// An operation that has to come back.
struct Asked {
    at_ns: u64,
    cookies: Vec<u64>,
    answered: BTreeSet<Hook>,
}

impl Vigil {
    /// Whether a record is of the canary's own operation, and nobody else's concern.
    pub fn takes(&mut self, header: &Header) -> bool {
        let Some(asked) = &mut self.asked else { return false };
        if !asked.cookies.contains(&header.cookie) {
            return false;
        }
        asked.answered.extend(Hook::from_raw(header.hook));
        true
    }

    /// The pipeline has come round: records are taken up to `taken_ns`, and it is
    /// `now_ns`. Returns what is to be told.
    pub fn turn(&mut self, programs: &mut Programs, now_ns: u64, taken_ns: u64) -> Vec<Health> {
        let mut news = Vec::new();
        let turned_ns = std::mem::replace(&mut self.turned_ns, now_ns);
        if turned_ns != 0 && now_ns.saturating_sub(turned_ns) > STALL_NS {
            news.push(Health::Stalled { from_ns: turned_ns, to_ns: now_ns });
        }
        if now_ns.saturating_sub(self.looked_ns) >= EVERY_NS {
            self.looked_ns = now_ns;
            // Nobody there, or nobody who minds: then it is said to nobody.
            drop(sd_notify::notify(&[NotifyState::Watchdog]));
            if let Err(error) = self.look(programs, now_ns, &mut news) {
                tracing::warn!(
                    "cannot check whether the eBPF programs are still attached: {error:#}"
                );
            }
        }
        let is_due = |asked: &Asked| taken_ns.saturating_sub(asked.at_ns) > PATIENCE_NS;
        if let Some(asked) = self.asked.take_if(|asked| is_due(asked)) {
            self.judge(programs, &asked, &mut news);
        }
        news
    }

    fn look(&mut self, programs: &mut Programs, now_ns: u64, news: &mut Vec<Health>) -> Result<()> {
        let detached = programs.detached()?;
        if !detached.is_empty() {
            let reason = "another program has detached it";
            for hook in &detached {
                programs.coverage.set(*hook, State::Unproven(reason.to_owned()));
            }
            news.push(changed(programs, &detached));
            let attached = programs.attach_again(&detached);
            if !attached.is_empty() {
                let reason = "it was detached, and is attached again";
                for hook in &attached {
                    programs.coverage.set(*hook, State::Unproven(reason.to_owned()));
                }
                news.push(changed(programs, &attached));
            }
        }
        let gone = programs.maps.wiped();
        news.extend(self.marks.looked(gone, programs.maps.seal()));
        if self.asked.is_some() {
            // The records are behind: what has been asked is judged when they have come so far.
            return Ok(());
        }
        let host = programs.host.network_namespace;
        let cookies = kernel::in_network_namespace(host, canary)?;
        self.asked = Some(Asked { at_ns: now_ns, cookies, answered: BTreeSet::new() });
        Ok(())
    }

    fn judge(&mut self, programs: &mut Programs, asked: &Asked, news: &mut Vec<Health>) {
        let (mut fell_silent, mut speak) = (BTreeSet::new(), BTreeSet::new());
        let attached = CANARY.into_iter().filter(|hook| programs.coverage.is_attached(*hook));
        let attached: BTreeSet<Hook> = attached.collect();
        // Of one that was detached just before, the next look says why it is silent.
        let detached = match attached.is_subset(&asked.answered) {
            true => BTreeSet::new(),
            false => programs.detached().unwrap_or_default(),
        };
        for hook in attached.difference(&detached).copied() {
            if asked.answered.contains(&hook) {
                if self.silent.remove(&hook) {
                    programs.coverage.set(hook, State::Proven);
                    speak.insert(hook);
                }
            } else if self.silent.insert(hook) {
                let reason = "the canary's operation no longer comes back";
                programs.coverage.set(hook, State::Unproven(reason.to_owned()));
                fell_silent.insert(hook);
            }
        }
        for hooks in [fell_silent, speak] {
            if !hooks.is_empty() {
                news.push(changed(programs, &hooks));
            }
        }
    }
}

/// What has become of these hooks, as the start event would have it.
fn changed(programs: &Programs, hooks: &BTreeSet<Hook>) -> Health {
    let points: Vec<&str> = hooks.iter().map(|hook| hook.attach_point()).collect();
    let rows = programs.coverage.rows().into_iter().filter(|row| points.contains(&row.hook));
    Health::CoverageChanged {
        coverage: rows.filter_map(|row| serde_json::to_value(row).ok()).collect(),
        complete: programs.coverage.is_complete(),
    }
}

/// A bind and a listen; the cookies of their sockets.
fn canary() -> Result<Vec<u64>> {
    let any_port = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    let datagrams = UdpSocket::bind(any_port).context("the canary cannot bind")?;
    let listener = TcpListener::bind(any_port).context("the canary cannot listen")?;
    let cookies = [socket_cookie(&datagrams), socket_cookie(&listener)];
    cookies.into_iter().map(|cookie| Ok(cookie?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a look says: events, and the maps that they name.
    fn look(marks: &mut Marks, gone: &[&'static str], unmarked: &[&'static str]) -> Vec<String> {
        let set = |maps: &[&'static str]| maps.iter().copied().collect();
        let told = |health: Health| match health {
            Health::MapsWiped { maps } => format!("wiped {}", maps.join(" ")),
            Health::MapsUnmarked { maps } => format!("unmarked {}", maps.join(" ")),
            other => panic!("{other:?}"),
        };
        marks.looked(set(gone), set(unmarked)).into_iter().map(told).collect()
    }

    #[test]
    fn a_full_map_is_told_once_and_hides_no_wipe_of_another() {
        let mut marks = Marks::default();
        assert_eq!(look(&mut marks, &["CGROUPS", "FLOWS"], &["FLOWS"]), ["unmarked FLOWS"]);
        assert!(look(&mut marks, &["FLOWS"], &["FLOWS"]).is_empty());
        assert_eq!(look(&mut marks, &["CGROUPS", "FLOWS"], &["FLOWS"]), ["wiped CGROUPS"]);
        // There is room again; what is marked can be wiped.
        assert!(look(&mut marks, &["FLOWS"], &[]).is_empty());
        assert_eq!(look(&mut marks, &["FLOWS"], &[]), ["wiped FLOWS"]);
        assert_eq!(look(&mut marks, &[], &["FLOWS"]), ["unmarked FLOWS"]);
    }

    #[test]
    fn marks_that_are_not_there_yet_are_not_wiped() {
        let mut marks = Marks::default();
        assert!(look(&mut marks, &["CGROUPS", "CONTAINED", "FLOWS"], &[]).is_empty());
        assert!(look(&mut marks, &[], &[]).is_empty());
    }
}
