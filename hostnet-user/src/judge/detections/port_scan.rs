//! A container tries many doors.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
};

use super::{Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::{
    event::{Outcome, Severity},
    judge::Target,
};

pub const DETECTION: Detection = Detection {
    id: "port-scan",
    title: "Many ports or hosts tried in a short time",
    severity: Severity::High,
    techniques: &[techniques::NETWORK_SERVICE_DISCOVERY],
    needs: &["inet"],
    text: "Within a minute one container was refused at twenty addresses or ports that it had not \
           tried before. From the host's network it sees what bridged containers cannot. Health \
           checks of services that are down try few places again and again; scanners try many once.",
    excuse: Excuse::Never,
    judge,
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
    by_owner: HashMap<u64, Tries>,
}

#[derive(Debug, Default)]
struct Tries {
    since_ns: u64,
    last_ns: u64,
    refused: HashSet<SocketAddr>,
}

fn judge(scene: &Scene<'_>, memory: &mut Memory) -> Option<Suspicion> {
    let reach = scene.reach?;
    let (Target::Ip(address), Outcome::Failure(_)) = (reach.to, reach.outcome) else { return None };
    let tries = memory.port_scan.tries(scene.owner.cgroup_id, scene.event.wall_ns);
    tries.refused.insert(address);
    if tries.refused.len() != MANY {
        return None;
    }
    let hosts: HashSet<_> = tries.refused.iter().map(SocketAddr::ip).collect();
    let whom = match hosts.len() {
        1 => address.ip().to_string(),
        hosts => format!("{hosts} hosts"),
    };
    Some(Suspicion::new(
        reach.surface.name(),
        format!("was refused at {MANY} places on {whom} within a minute"),
    ))
}

impl Targets {
    fn tries(&mut self, owner: u64, now_ns: u64) -> &mut Tries {
        if self.by_owner.len() >= MOST_OWNERS && !self.by_owner.contains_key(&owner) {
            let oldest = self.by_owner.iter().min_by_key(|(_, tries)| tries.last_ns);
            if let Some(oldest) = oldest.map(|(owner, _)| *owner) {
                self.by_owner.remove(&oldest);
            }
        }
        let tries = self.by_owner.entry(owner).or_default();
        if now_ns.saturating_sub(tries.since_ns) > WINDOW_NS {
            *tries = Tries { since_ns: now_ns, ..Tries::default() };
        }
        // Once it is a scan, more of it says nothing new.
        if tries.refused.len() > MANY {
            tries.refused.shrink_to(MANY);
        }
        tries.last_ns = now_ns;
        tries
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(found[0].sentence, "was refused at 20 places on 127.0.0.1 within a minute");
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
