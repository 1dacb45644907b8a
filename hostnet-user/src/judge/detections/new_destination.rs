//! An image reaches what no container of it has reached before.

use std::collections::{HashMap, HashSet};

use super::{Criterion, Detection, Excuse, Memory, Scene, Suspicion, techniques};
use crate::{
    event::{Learned, Owner, Reached, Severity, Surface},
    judge::{Reach, Target, digest::digest},
};

pub const DETECTION: Detection = Detection {
    id: "new-destination",
    title: "Destination that is new for the image",
    severity: Severity::Low,
    techniques: &[techniques::APPLICATION_LAYER_PROTOCOL],
    needs: &["inet"],
    text: "For `judge.learn_hours` after the first container of an image, hostnet learns what its \
           containers reach; the history keeps that over restarts of the agent. Afterwards a \
           destination that none of them has reached is a finding. Software does what it always did \
           until it is updated, or taken over. Of one image 512 destinations are learned; one more is a \
           finding of its own (medium, once in `judge.repeat_hours`), which says that further new ones \
           are not reported. What an image with so many may reach belongs into the `reach` of an \
           `[[expect]]` entry. What a container reaches of its own is no destination.",
    excuse: Excuse::ReachListed,
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

/// Images that are known; of more, those that have been still for longest are forgotten.
const MOST_IMAGES: usize = 1024;

/// Destinations of one image; that there are more is a finding.
const MOST_DESTINATIONS: usize = 512;

/// How often it is learned anew that containers of an image are still at work.
const STILL_AT_WORK_NS: u64 = 24 * 3_600_000_000_000;

/// What images have reached.
#[derive(Debug, Default)]
pub struct Profiles {
    learn_ns: u64,
    by_image: HashMap<String, Profile>,
    learned: Option<Learned>,
}

#[derive(Debug)]
struct Profile {
    since_ns: u64,
    /// When it last reached anything, and when that was last learned.
    last_ns: u64,
    learned_ns: u64,
    destinations: HashSet<u128>,
}

/// What a destination is to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Novelty {
    /// It was reached before, or the image is still being learned.
    Known,
    /// It is the first of its kind.
    New,
    /// It may be, but the image has reached as many as are remembered.
    Beyond,
}

impl Profile {
    fn since(since_ns: u64) -> Self {
        let (last_ns, learned_ns) = (since_ns, since_ns);
        Self { since_ns, last_ns, learned_ns, destinations: HashSet::new() }
    }
}

impl Profiles {
    pub fn learning_for(learn_ns: u64) -> Self {
        Self { learn_ns, ..Self::default() }
    }

    pub fn remember(&mut self, all: &[Reached]) {
        for Reached { image, destination, first_ns, last_ns } in all {
            let fresh = || Profile::since(*first_ns);
            let profile = self.by_image.entry(image.clone()).or_insert_with(fresh);
            profile.since_ns = profile.since_ns.min(*first_ns);
            profile.last_ns = profile.last_ns.max(*last_ns);
            profile.learned_ns = profile.last_ns;
            profile.destinations.insert(digest(&[destination]));
        }
    }

    pub const fn take_learned(&mut self) -> Option<Learned> {
        self.learned.take()
    }

    /// Notes it; it is new of an image that is known well enough to say so.
    fn note(&mut self, image: &str, destination: &str, now_ns: u64) -> Novelty {
        let mut instead_of = None;
        let profile = match self.by_image.get_mut(image) {
            Some(profile) => profile,
            None => {
                instead_of = self.make_room();
                self.by_image.entry(image.to_owned()).or_insert_with(|| Profile::since(now_ns))
            }
        };
        profile.last_ns = profile.last_ns.max(now_ns);
        let hashed = digest(&[destination]);
        let is_first = !profile.destinations.contains(&hashed);
        if is_first && profile.destinations.len() >= MOST_DESTINATIONS {
            return Novelty::Beyond;
        }
        profile.destinations.insert(hashed);
        if is_first || now_ns.saturating_sub(profile.learned_ns) >= STILL_AT_WORK_NS {
            profile.learned_ns = now_ns;
            let (image, destination) = (image.to_owned(), destination.to_owned());
            let reached = Reached { image, destination, first_ns: now_ns, last_ns: now_ns };
            self.learned = Some(Learned::Reached { reached, instead_of });
        }
        let is_learned = now_ns.saturating_sub(profile.since_ns) >= self.learn_ns;
        if is_first && is_learned { Novelty::New } else { Novelty::Known }
    }

    /// Forgets an image where one more is too many.
    fn make_room(&mut self) -> Option<String> {
        if self.by_image.len() < MOST_IMAGES {
            return None;
        }
        let (image, _) = self.by_image.iter().min_by_key(|(_, profile)| profile.last_ns)?;
        let image = image.clone();
        self.by_image.remove(&image);
        Some(image)
    }
}

fn judge(scene: &Scene<'_>, memory: &mut Memory) -> Option<Suspicion> {
    let reach =
        scene.reach.filter(|reach| reach.contact.may_be_made() && !reach.is_name_lookup())?;
    let container = scene.owner.container.as_deref().filter(|one| !one.image_id.is_empty())?;
    let destination = destination(&reach)?;
    if is_own(&reach, scene.owner) {
        return None;
    }
    let (image, now_ns) = (&container.image, scene.event.wall_ns);
    match memory.new_destination.note(&container.image_id, &destination, now_ns) {
        Novelty::Known => None,
        Novelty::New => {
            let what = format!("{destination}, the first container of image {image} to do so");
            Some(Suspicion::of(&reach, DETECTION.severity, &destination, &what))
        }
        Novelty::Beyond => {
            let sentence = format!(
                "reached {destination} when {MOST_DESTINATIONS} destinations of image {image} were \
                 known already: further new ones are not reported"
            );
            Some(
                Suspicion::new("more destinations than are learned", sentence)
                    .with(Severity::Medium),
            )
        }
    }
}

/// Whether the container reaches itself: as many such destinations as it likes cost nothing.
fn is_own(reach: &Reach<'_>, owner: &Owner) -> bool {
    let sole = reach.peer.and_then(|peer| peer.sole());
    sole.is_some_and(|peer| {
        owner.container_id.is_some() && peer.owner.container_id == owner.container_id
    })
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

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Memory,
            testing::{judged_with, reached_at},
        },
        *,
    };
    use crate::event::{Peer, PeerMethod};

    const HOUR_NS: u64 = 3_600_000_000_000;

    fn learning() -> Memory {
        Memory::learning_for(HOUR_NS)
    }

    /// What the event at that time taught, and whether it was suspicious.
    fn reaches(memory: &mut Memory, to: &str, at: u64) -> (Option<Learned>, bool) {
        let suspicion = judged_with(&DETECTION, &reached_at(to, at), memory);
        (memory.take_learned(), suspicion.is_some())
    }

    #[test]
    fn fires_when_it_has_learned() {
        let mut memory = learning();
        assert_eq!(judged_with(&DETECTION, &reached_at("203.0.113.9:443", 0), &mut memory), None);
        let new = judged_with(&DETECTION, &reached_at("198.51.100.7:443", HOUR_NS), &mut memory);
        assert_eq!(new.unwrap().subject, "198.51.0.0/16 port 443");
    }

    #[test]
    fn does_not_fire() {
        let mut memory = learning();
        for at in [0, HOUR_NS / 2, 2 * HOUR_NS] {
            let known = reached_at("203.0.113.9:443", at);
            assert_eq!(judged_with(&DETECTION, &known, &mut memory), None);
            let near_it = reached_at("203.0.7.7:443", at);
            assert_eq!(judged_with(&DETECTION, &near_it, &mut memory), None);
        }
    }

    #[test]
    fn what_was_learned_goes_on_in_the_next_run() {
        let (mut memory, mut after) = (learning(), learning());
        let (learned, _) = reaches(&mut memory, "203.0.113.9:443", 5);
        let Some(Learned::Reached { reached, instead_of }) = learned else { panic!("nothing") };
        assert_eq!(reached.destination, "203.0.0.0/16 port 443");
        assert_eq!((reached.first_ns, instead_of), (5, None));
        after.remember(&[reached]);
        // What was known is no news, and the time of learning began then.
        assert_eq!(reaches(&mut after, "203.0.113.9:443", HOUR_NS), (None, false));
        let (learned, is_suspicious) = reaches(&mut after, "198.51.100.7:443", HOUR_NS + 5);
        assert!(learned.is_some() && is_suspicious);
        // Without it, all of it would be learned anew.
        assert!(!reaches(&mut learning(), "198.51.100.7:443", HOUR_NS + 5).1);
    }

    #[test]
    fn that_an_image_is_still_at_work_is_learned_once_a_day() {
        let mut memory = learning();
        assert!(reaches(&mut memory, "203.0.113.9:443", 0).0.is_some());
        assert!(reaches(&mut memory, "203.0.113.9:443", STILL_AT_WORK_NS - 1).0.is_none());
        let (learned, is_suspicious) = reaches(&mut memory, "203.0.113.9:443", STILL_AT_WORK_NS);
        let Some(Learned::Reached { reached, .. }) = learned else { panic!("nothing") };
        assert_eq!(reached.last_ns, STILL_AT_WORK_NS);
        assert!(!is_suspicious);
        assert!(reaches(&mut memory, "203.0.113.9:443", STILL_AT_WORK_NS + 1).0.is_none());
    }

    #[test]
    fn more_destinations_than_are_learned_are_a_finding_in_the_next_run_too() {
        let (mut memory, mut after) = (learning(), learning());
        let mut kept = Vec::new();
        for port in 1..=600 {
            // While it learns, which is when filling it is free.
            let act = reached_at(&format!("192.168.1.9:{port}"), 5);
            let suspicion = judged_with(&DETECTION, &act, &mut memory);
            assert_eq!(suspicion.is_some(), port > MOST_DESTINATIONS, "{port}");
            if let Some(Learned::Reached { reached, .. }) = memory.take_learned() {
                kept.push(reached);
            }
        }
        assert_eq!(kept.len(), MOST_DESTINATIONS, "no more is kept");
        after.remember(&kept);
        for memory in [&mut memory, &mut after] {
            let act = reached_at("203.0.113.66:4444", 2 * HOUR_NS);
            let suspicion = judged_with(&DETECTION, &act, memory).unwrap();
            assert_eq!(suspicion.severity, Some(Severity::Medium));
            assert_eq!(suspicion.subject, "more destinations than are learned");
            let says = ["203.0.0.0/16 port 4444", "busybox:1", "further new ones are not reported"];
            assert!(says.iter().all(|text| suspicion.sentence.contains(text)), "{suspicion:?}");
        }
    }

    #[test]
    fn what_a_container_reaches_of_its_own_is_no_destination() {
        let mut memory = Memory::learning_for(0);
        let mut own = reached_at("127.0.0.1:4000", HOUR_NS);
        let owner = own.owner.clone().unwrap();
        own.peer = Some(Peer::one(&owner, None, PeerMethod::Address));
        assert_eq!(judged_with(&DETECTION, &own, &mut memory), None);
        assert!(memory.take_learned().is_none());
        own.peer = None;
        assert!(judged_with(&DETECTION, &own, &mut memory).is_some());
    }

    #[test]
    fn what_is_known_is_bounded() {
        let mut profiles = Profiles::learning_for(0);
        for at in 0..2 * MOST_IMAGES as u64 {
            // The first one stays at work.
            profiles.note("sha256:0", "a", at);
            profiles.take_learned();
            profiles.note(&format!("sha256:{at}"), "a", at);
            let forgot = match profiles.take_learned() {
                Some(Learned::Reached { instead_of, .. }) => instead_of,
                _ => None,
            };
            let most = MOST_IMAGES as u64;
            assert_eq!(forgot, (at >= most).then(|| format!("sha256:{}", at - most + 1)), "{at}");
            assert!(profiles.by_image.len() <= MOST_IMAGES);
        }
        for index in 0..2 * MOST_DESTINATIONS {
            let novelty = profiles.note("sha256:0", &index.to_string(), 0);
            let is_room = index < MOST_DESTINATIONS - 1;
            let expected = if is_room { Novelty::New } else { Novelty::Beyond };
            assert_eq!(novelty, expected, "{index}");
        }
        assert_eq!(profiles.by_image["sha256:0"].destinations.len(), MOST_DESTINATIONS);
    }
}
