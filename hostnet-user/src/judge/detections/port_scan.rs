//! A container tries many doors.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
};

use super::{Criterion, Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::{
    event::{Owner, Severity},
    judge::Target,
};

pub const DETECTION: Detection = Detection {
    id: "port-scan",
    title: "Many ports or hosts tried in a short time",
    severity: Severity::High,
    techniques: &[techniques::NETWORK_SERVICE_DISCOVERY],
    needs: &["inet"],
    text: "Within a minute the container was refused, or got no answer, at twenty addresses or ports \
           that it had not tried before. From the host's network it sees what containers on a bridge \
           network cannot. A health check of a service that is down tries few of them again and \
           again; a scanner tries many once.",
    excuse: Excuse::Never,
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

/// Targets that refused within the window: so many are a scan.
const MANY: usize = 20;

/// How long a try counts, nanoseconds.
const WINDOW_NS: u64 = 60_000_000_000;

/// Owners whose tries are remembered; beyond, those who were refused longest ago are not.
const MOST_OWNERS: usize = 4096;

/// Who was refused where, lately.
#[derive(Debug, Default)]
pub struct Targets {
    by_owner: HashMap<Scanner, Tries>,
}

/// Who scans: a container, from whichever of its cgroups; else a cgroup.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Scanner {
    Container(String),
    Cgroup(u64),
}

impl From<&Owner> for Scanner {
    fn from(owner: &Owner) -> Self {
        match &owner.container_id {
            Some(id) => Self::Container(id.clone()),
            None => Self::Cgroup(owner.cgroup_id),
        }
    }
}

#[derive(Debug, Default)]
struct Tries {
    since_ns: u64,
    last_ns: u64,
    refused: HashSet<SocketAddr>,
}

fn judge(scene: &Scene<'_>, memory: &mut Memory) -> Option<Suspicion> {
    let reach = scene.reach?;
    let Target::Ip(address) = reach.to else { return None };
    if !reach.contact.has_failed() {
        return None;
    }
    let tries = memory.port_scan.tries(scene.owner.into(), scene.event.wall_ns);
    // What comes after is the same scan.
    if tries.refused.len() >= MANY || !tries.refused.insert(address) || tries.refused.len() < MANY {
        return None;
    }
    let hosts: HashSet<_> = tries.refused.iter().map(SocketAddr::ip).collect();
    let whom = match hosts.len() {
        1 => address.ip().to_string(),
        hosts => format!("{hosts} hosts"),
    };
    Some(Suspicion::new(
        reach.surface.name(),
        format!("was refused at {MANY} addresses or ports of {whom} within a minute"),
    ))
}

impl Targets {
    fn tries(&mut self, owner: Scanner, now_ns: u64) -> &mut Tries {
        if self.by_owner.len() >= MOST_OWNERS && !self.by_owner.contains_key(&owner) {
            let oldest = self.by_owner.iter().min_by_key(|(_, tries)| tries.last_ns);
            if let Some(oldest) = oldest.map(|(owner, _)| owner.clone()) {
                self.by_owner.remove(&oldest);
            }
        }
        let tries = self.by_owner.entry(owner).or_default();
        if now_ns.saturating_sub(tries.since_ns) > WINDOW_NS {
            *tries = Tries { since_ns: now_ns, ..Tries::default() };
        }
        // Once it is a scan, more of it says nothing new.
        tries.last_ns = now_ns;
        tries
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{
        Memory,
        testing::{judged_with, reached, refused, refused_at},
    };
    use super::{DETECTION, MANY, WINDOW_NS};

    #[test]
    fn fires_once_there_are_many() {
        let mut memory = Memory::default();
        let found: Vec<_> = (1..=2 * MANY)
            .filter_map(|port| {
                judged_with(&DETECTION, &refused(&format!("127.0.0.1:{port}")), &mut memory)
            })
            .collect();
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].sentence,
            "was refused at 20 addresses or ports of 127.0.0.1 within a minute"
        );
    }

    #[test]
    fn child_cgroups_of_one_container_are_one_scanner_and_memory_is_bounded() {
        let mut memory = Memory::default();
        let mut found = 0;
        for port in 1..=60_000 {
            let mut event = refused(&format!("127.0.0.1:{port}"));
            let owner = Arc::make_mut(event.owner.as_mut().expect("an owner"));
            owner.cgroup_id = 1_000 + port % 20;
            found += usize::from(judged_with(&DETECTION, &event, &mut memory).is_some());
        }
        assert_eq!(found, 1);
        let tries = &memory.port_scan.by_owner;
        assert!(tries.len() == 1 && tries.values().all(|tries| tries.refused.len() <= MANY));
    }

    #[test]
    fn does_not_fire() {
        let (mut memory, mut of_slow) = (Memory::default(), Memory::default());
        for round in 0..100 {
            let again = refused(&format!("127.0.0.1:{}", round % 10 + 1));
            assert_eq!(judged_with(&DETECTION, &again, &mut memory), None, "few places");
            let let_in = reached(&format!("127.0.0.1:{}", round + 1));
            assert_eq!(judged_with(&DETECTION, &let_in, &mut memory), None, "let in");
            let slow = refused_at(&format!("127.0.0.2:{}", round + 1), round * (WINDOW_NS / 5));
            assert_eq!(judged_with(&DETECTION, &slow, &mut of_slow), None, "slowly");
        }
    }
}
