//! How sure a verdict is, and of what.

use super::{
    because,
    scene::{BEGIN, DAY, HOUR, SECOND, Scene, UDP},
    text, web_server,
};
use crate::{
    advise::{Answer, Confidence},
    event::Health,
};

#[test]
fn too_little_is_too_little() {
    let mut scene = Scene::new();
    scene.pass(DAY);
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotEnoughObserved);
    assert_eq!(advice.verdict.confidence, None);
    assert!(because(&advice).contains("did nothing in the network"));
    scene.listen("0.0.0.0:8080");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotEnoughObserved);
    assert!(because(&advice).contains("exchanged nothing"), "{}", because(&advice));
    scene.accept("10.0.0.2:8080", "10.0.0.9:5000", 1);
    assert_eq!(scene.advice().verdict.answer, Answer::NotNeeded);
    // Who listens there is not known, and it is not the container.
    scene.connect("127.0.0.1:7000", 1);
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotEnoughObserved);
    assert!(because(&advice).contains("127.0.0.1:7000"), "{}", because(&advice));
}

#[test]
fn a_verdict_claims_no_more_than_was_seen() {
    let confidence = |scene: &mut Scene| {
        let verdict = scene.advice().verdict;
        assert_eq!(verdict.answer, Answer::NotNeeded, "{verdict:?}");
        assert_eq!(verdict.doubts.is_empty(), verdict.confidence == Some(Confidence::High));
        verdict.confidence.unwrap()
    };
    let used = |mut scene: Scene, ns: u64, times: usize| {
        scene.listen("0.0.0.0:8080");
        scene.accept("10.0.0.2:8080", "10.0.0.9:5000", times);
        scene.pass(ns);
        scene
    };
    assert_eq!(confidence(&mut web_server()), Confidence::High);
    assert_eq!(confidence(&mut used(Scene::new(), 2 * HOUR, 20)), Confidence::Medium);
    assert_eq!(confidence(&mut used(Scene::new(), 60 * SECOND, 20)), Confidence::Low);
    assert_eq!(confidence(&mut used(Scene::new(), DAY, 2)), Confidence::Low);
    assert_eq!(confidence(&mut used(Scene::seen_by("first-use"), DAY, 20)), Confidence::Medium);
    let mut lossy = web_server();
    lossy.lost(false, 3);
    assert_eq!(confidence(&mut lossy), Confidence::Medium);
    lossy.lost(true, 3);
    assert_eq!(confidence(&mut lossy), Confidence::Low);
    assert!(text(&lossy.advice()).contains("3 records of its own"), "{}", text(&lossy.advice()));
    assert!(!lossy.advice().observed.is_whole());
    let unseen = used(Scene::seen_by("inet"), DAY, 20).advice();
    assert_eq!(unseen.verdict.answer, Answer::NotEnoughObserved);
    assert!(because(&unseen).contains("packet, netlink and unix sockets were not seen"));
    let older = used(Scene::without_agent("old", "2026-01-01T00:00:00Z"), DAY, 20).advice();
    assert_eq!(older.verdict.confidence, Some(Confidence::Low));
    assert!(older.verdict.doubts.iter().any(|one| one.ends_with(": its start was not seen")));
}

#[test]
fn time_without_an_agent_is_not_observed() {
    let mut scene = web_server();
    let reason = "signal".to_owned();
    scene.health(Health::Stopped { reason, events: 1, lost: 0 });
    scene.pass(DAY);
    let settings = serde_json::json!({});
    scene.health(Health::Started { coverage: serde_json::json!([]), complete: true, settings });
    scene.pass(HOUR);
    // Nothing more is seen of it: it was gone by then.
    let gone = scene.advice().observed;
    assert_eq!((gone.runs, gone.observed_ns), (2, DAY));
    assert_eq!((gone.from_ns, gone.until_ns), (BEGIN + SECOND, BEGIN + SECOND + DAY));
    scene.connect("93.184.216.34:443", 1);
    let still = scene.advice().observed;
    assert_eq!(still.observed_ns, DAY + HOUR);
    assert_eq!(still.gaps, ["no agent observed for 86400.0 s"]);
    assert!(!still.is_whole());
}

#[test]
fn a_container_that_is_made_anew_is_the_same() {
    let mut scene = web_server();
    scene.leave();
    scene.container("other", &[]);
    scene.connect("93.184.216.34:443", 1);
    let all = scene.all();
    let labels: Vec<&str> = all.iter().map(|one| &*one.label).collect();
    assert_eq!(labels, ["other", "web"]);
    assert_eq!((all[1].observed.lives, all[1].observed.ends_seen), (1, 1));
    assert_eq!(all[1].observed.starts_seen, 1);
    let id = all[1].ids[0].clone();
    for wanted in ["web", &id[..6], &id] {
        assert_eq!(scene.called(wanted).len(), 1, "{wanted}");
    }
    assert!(scene.called("").is_empty());
    assert!(scene.called("nobody").is_empty());
}

#[test]
fn rates_are_measured() {
    let mut scene = web_server();
    scene.pass(SECOND);
    scene.accept("10.0.0.2:8080", "10.0.0.9:5000", 30);
    scene.closed(1000, 500, 2);
    scene.closed(10, 0, 0);
    let measured = scene.advice().measured;
    assert_eq!(measured.connections_per_second_peak, 30);
    assert_eq!((measured.bytes_sent, measured.bytes_received), (1010, 500));
    assert!((measured.bytes_per_second_fastest - 750.0).abs() < 1e-9);
}

#[test]
fn memory_is_bounded() {
    let mut scene = Scene::new();
    for port in 1..=60_000_u16 {
        scene.connect(&format!("93.184.216.34:{port}"), 1);
        scene.listen(&format!("0.0.0.0:{port}"));
    }
    let advice = scene.advice();
    assert!(advice.evidence.len() <= 70, "{}", advice.evidence.len());
    assert!(advice.evidence_beyond > 50_000);
    assert_eq!(advice.verdict.answer, Answer::NotEnoughObserved);
    assert!(because(&advice).contains("more places than are looked at"));
}

/// What comes to it may have been sent to a group, and nobody saw whether it joined one.
#[test]
fn a_udp_server_on_all_addresses_is_doubted_where_groups_joined_are_not_seen() {
    let server = |set, is_older: bool, at: &str| {
        let mut scene = Scene::seen_by(set);
        if is_older {
            scene.bound_before(at);
        } else {
            scene.bind(at, at, UDP);
        }
        for port in 5000..5020 {
            scene.receive(at, &format!("192.168.1.9:{port}"));
        }
        scene.pass(DAY);
        let verdict = scene.advice().verdict;
        assert_eq!(verdict.answer, Answer::NotNeeded, "{verdict:?}");
        let doubted = verdict.doubts.iter().any(|one| one.contains("may be a multicast or"));
        assert!(!doubted || verdict.confidence == Some(Confidence::Low), "{verdict:?}");
        doubted
    };
    for any in ["0.0.0.0:1900", "[::]:1900"] {
        assert!(server("first-use", false, any));
        assert!(!server("families", false, any));
        assert!(server("families", true, any), "it may have joined before");
    }
    assert!(!server("first-use", false, "192.168.1.2:1900"), "what it takes was sent there");
    // What was seen is not doubted.
    let mut scene = Scene::new();
    scene.bind("0.0.0.0:1900", "0.0.0.0:1900", UDP);
    scene.join("239.255.255.250", 2);
    scene.receive("0.0.0.0:1900", "192.168.1.9:5000");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::Needed);
    assert!(because(&advice).contains("it joined multicast group 239.255.255.250: multicast"));
    // Within the host it depends on who else is there.
    let mut scene = Scene::new();
    scene.bind("0.0.0.0:1900", "0.0.0.0:1900", UDP);
    scene.join("239.255.255.250", 1);
    assert_eq!(scene.advice().verdict.answer, Answer::NotEnoughObserved);
}
