//! An image reaches what no container of it has reached before.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::{
    event::{Severity, Surface},
    judge::{Reach, Target},
};

pub const DETECTION: Detection = Detection {
    id: "new-destination",
    title: "First destination of its kind for this image",
    severity: Severity::Low,
    techniques: &[techniques::APPLICATION_LAYER_PROTOCOL],
    needs: &["inet"],
    text: "What containers of an image reach is learned for a while (`judge.learn_hours`) after the first \
           of them; after that, what none of them has reached is told. Software does what it always \
           did until it is updated, or somebody else's.",
    excuse: Excuse::ReachListed,
    judge,
};

/// Images that are learned; more are not.
const MOST_IMAGES: usize = 4096;

/// Destinations of one image; an image with more talks to anybody.
const MOST_DESTINATIONS: usize = 1024;

/// What images have reached since the agent began.
#[derive(Debug, Default)]
pub struct Profiles {
    learn_ns: u64,
    by_image: HashMap<u64, Profile>,
}

#[derive(Debug)]
struct Profile {
    since_ns: u64,
    destinations: HashSet<u64>,
}

impl Profiles {
    pub fn learning_for(learn_ns: u64) -> Self {
        Self { learn_ns, by_image: HashMap::new() }
    }
}

fn judge(scene: &Scene<'_>, memory: &mut Memory) -> Option<Suspicion> {
    let reach = scene.reach.filter(Reach::was_let)?;
    let container = scene.owner.container.as_deref().filter(|one| !one.image_id.is_empty())?;
    let destination = destination(&reach)?;
    let now_ns = scene.event.wall_ns;
    let profiles = &mut memory.new_destination;
    let image = hash(&container.image_id);
    if profiles.by_image.len() >= MOST_IMAGES && !profiles.by_image.contains_key(&image) {
        return None;
    }
    let fresh = || Profile { since_ns: now_ns, destinations: HashSet::new() };
    let profile = profiles.by_image.entry(image).or_insert_with(fresh);
    if profile.destinations.len() >= MOST_DESTINATIONS
        || !profile.destinations.insert(hash(&destination))
        || now_ns.saturating_sub(profile.since_ns) < profiles.learn_ns
    {
        return None;
    }
    let sentence = format!("reached {destination}, as the first container of {}", container.image);
    Some(Suspicion::new(destination, sentence))
}

/// What counts as one: on the internet a network of the size that one owner has, as
/// services there move among addresses; the port of whoever is near.
fn destination(reach: &Reach<'_>) -> Option<String> {
    let Target::Ip(address) = reach.to else { return Some(reach.to.to_string()) };
    let port = address.port();
    Some(match (reach.surface, address.ip()) {
        (Surface::Internet, std::net::IpAddr::V4(ip)) => {
            let [a, b, ..] = ip.octets();
            format!("{a}.{b}.0.0/16 port {port}")
        }
        (Surface::Internet, std::net::IpAddr::V6(ip)) => {
            let [a, b, ..] = ip.segments();
            format!("{a:x}:{b:x}::/32 port {port}")
        }
        (Surface::Multicast | Surface::Broadcast, _) => return None,
        _ => address.to_string(),
    })
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::{
        Memory,
        testing::{judged_with, reached_at},
    };
    use super::DETECTION;

    const HOUR_NS: u64 = 3_600_000_000_000;

    fn memory() -> Memory {
        Memory::learning_for(HOUR_NS)
    }

    #[test]
    fn fires_when_it_has_learned() {
        let mut memory = memory();
        assert_eq!(judged_with(&DETECTION, &reached_at("203.0.113.9:443", 0), &mut memory), None);
        let new = judged_with(&DETECTION, &reached_at("198.51.100.7:443", HOUR_NS), &mut memory);
        assert_eq!(new.unwrap().subject, "198.51.0.0/16 port 443");
    }

    #[test]
    fn does_not_fire() {
        let mut memory = memory();
        for at in [0, HOUR_NS / 2, 2 * HOUR_NS] {
            let known = reached_at("203.0.113.9:443", at);
            assert_eq!(judged_with(&DETECTION, &known, &mut memory), None);
            let near_it = reached_at("203.0.7.7:443", at);
            assert_eq!(judged_with(&DETECTION, &near_it, &mut memory), None);
        }
    }
}
