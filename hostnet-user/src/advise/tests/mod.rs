//! What is advised for what was seen.

mod scene;

use serde_json::Value;

use self::scene::{BEGIN, HOUR, SECOND, Scene, TCP, UDP, container, party, unit};
use super::{Advice, Answer, Bridge, Confidence, Group, Needs, Publish, show};
use crate::event::{Health, UnixKind};

const DAY: u64 = 24 * HOUR;

/// A web server in use, for a day.
fn web_server() -> Scene {
    let mut scene = Scene::new();
    scene.listen("0.0.0.0:8080");
    scene.accept("10.0.0.2:8080", "10.0.0.9:5000", 20);
    scene.pass(DAY);
    scene
}

fn run(advice: &Advice) -> String {
    advice.change.docker_run.join(" ")
}

fn because(advice: &Advice) -> String {
    advice.verdict.because.join("; ")
}

fn text(advice: &Advice) -> String {
    let mut bytes = Vec::new();
    let to = anstream::StripStream::new(&mut bytes);
    show::each(std::slice::from_ref(advice), show::Form::Table, to).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_web_server_is_published() {
    let mut scene = web_server();
    scene.listen("[::]:8443");
    scene.bind("0.0.0.0:5353", "0.0.0.0:5353", UDP);
    scene.receive("0.0.0.0:5353", "10.0.0.9:40000");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    assert_eq!(advice.verdict.confidence, Some(Confidence::High), "{:?}", advice.verdict);
    assert_eq!(run(&advice), "-p 8080:8080 -p 8443:8443 -p 5353:5353/udp");
    assert_eq!(advice.change.conditions, Vec::<String>::new());
    let compose = "services:\n  web:\n    # remove: network_mode: host\n    ports:\n      - \
                   \"8080:8080\"\n      - \"8443:8443\"\n      - \"5353:5353/udp\"\n";
    assert_eq!(advice.change.compose, compose);
    let came: Vec<u64> = advice.ports.iter().map(|port| port.by_others).collect();
    assert_eq!(came, [20, 0, 1]);
    assert_eq!(advice.measured.connections_in, 20);
    assert_eq!(advice.measured.connections_per_second_peak, 20);
}

#[test]
fn a_dns_client_needs_nothing() {
    let mut scene = Scene::new();
    for _ in 0..20 {
        scene.send("10.0.0.53:53");
        scene.connect("93.184.216.34:443", 1);
    }
    scene.pass(DAY);
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    assert_eq!(advice.verdict.confidence, Some(Confidence::High));
    assert_eq!(run(&advice), "");
    assert!(text(&advice).contains("leave out --network host"), "{}", text(&advice));
    assert!(advice.evidence.iter().all(|one| one.bridge == Bridge::AsWell));
}

#[test]
fn the_hosts_own_resolver_is_dockers_to_replace() {
    let mut scene = web_server();
    scene.send("127.0.0.53:53");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    assert!(matches!(advice.evidence[0].bridge, Bridge::If(_)), "{:?}", advice.evidence);
}

#[test]
fn what_only_a_bridge_does_not_give_is_needed() {
    let redis = || unit("redis-server.service");
    type Act = fn(&mut Scene);
    let cases: [(&str, Act, Group); 11] = [
        ("takes all frames from all interfaces", Scene::sniff, Group::PacketSocket),
        ("raw socket for IP protocol 112", |scene| scene.raw_socket(112), Group::RawSocket),
        ("raw socket for IP protocol 6", |scene| scene.raw_socket(6), Group::RawSocket),
        ("224.0.0.251:5353 (multicast)", |scene| scene.send("224.0.0.251:5353"), Group::Multicast),
        (
            "255.255.255.255:67 (broadcast)",
            |scene| scene.send("255.255.255.255:67"),
            Group::Multicast,
        ),
        ("[fe80::1]:80", |scene| scene.connect("[fe80::1]:80", 1), Group::LinkLocal),
        ("bluetooth", |scene| scene.family_socket(libc::AF_BLUETOOTH, 0), Group::Hardware),
        ("xdp", |scene| scene.family_socket(libc::AF_XDP, 0), Group::Hardware),
        ("sock-diag", |scene| scene.family_socket(libc::AF_NETLINK, 4), Group::NetworkState),
        (
            "@/tmp/.X11-unix/X0 (gdm.service on the host)",
            |scene| {
                let whose = Some(unit("gdm.service"));
                scene.unix(UnixKind::Connect, b"\0/tmp/.X11-unix/X0", whose);
            },
            Group::AbstractSocket,
        ),
        (
            "serves",
            |scene| {
                scene.unix(UnixKind::Accept, b"\0mine", Some(unit("dbus.service")));
            },
            Group::AbstractSocket,
        ),
    ];
    for (reason, act, group) in cases {
        // Certain however little else is known.
        let mut scene = Scene::new();
        act(&mut scene);
        scene.lost(true, 5);
        let advice = scene.advice();
        assert_eq!(advice.verdict.answer, Answer::Needed, "{reason}");
        assert_eq!(advice.verdict.confidence, Some(Confidence::High), "{reason}");
        assert!(because(&advice).contains(reason), "{reason}: {}", because(&advice));
        assert_eq!(advice.evidence[0].group, group, "{reason}");
        assert!(text(&advice).contains(&advice.evidence[0].seen.event_id.to_string()));
    }
    let mut scene = web_server();
    scene.connect_to("127.0.0.1:6379", redis(), "127.0.0.1:6379");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::Needed);
    let named = "127.0.0.1:6379 (redis-server.service on the host)";
    assert!(because(&advice).contains(named), "{}", because(&advice));
    assert!(text(&advice).contains("host networking is needed"), "{}", text(&advice));
}

#[test]
fn a_service_of_the_host_that_listens_for_everyone_is_reached_by_name() {
    let mut scene = web_server();
    scene.connect_to("127.0.0.1:5432", unit("postgresql.service"), "0.0.0.0:5432");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    let expected = "-p 8080:8080 --add-host host.docker.internal:host-gateway";
    assert_eq!(run(&advice), expected);
    let compose = &advice.change.compose;
    assert!(
        compose.contains("extra_hosts:\n      - \"host.docker.internal:host-gateway\""),
        "{compose}"
    );
    let [condition] = advice.change.conditions.as_slice() else { panic!("{advice:?}") };
    assert!(condition.contains("postgresql.service"), "{condition}");
}

#[test]
fn another_container_is_reached_in_one_network() {
    let mut scene = web_server();
    let other = container("db", "2026-11-28T00:00:00Z", &[]);
    scene.connect_to("127.0.0.1:5432", other, "0.0.0.0:5432");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    assert_eq!(advice.needs, [Needs::NetworkWith("db".to_owned())]);
    assert_eq!(run(&advice), "--network web-net -p 8080:8080");
    assert!(
        advice.change.compose.ends_with("networks:\n  web-net: {}\n"),
        "{}",
        advice.change.compose
    );
    assert!(advice.change.conditions.iter().any(|one| one.contains("docker network connect")));
}

#[test]
fn itself_over_loopback_is_no_need() {
    let mut scene = web_server();
    scene.listen("127.0.0.1:9000");
    scene.connect("127.0.0.1:9000", 3);
    scene.accept_itself("127.0.0.1:9000");
    scene.unix(UnixKind::Bind, b"\0mine", None);
    scene.unix(UnixKind::Connect, b"\0mine", None);
    scene.refused("127.0.0.1:6379");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded, "{:?}", advice.verdict);
    assert_eq!(run(&advice), "-p 8080:8080");
    let own = advice.ports.iter().find(|port| port.port == 9000).unwrap();
    assert_eq!(own.publish, Publish::No);
}

#[test]
fn a_listener_on_one_address_keeps_it() {
    let mut scene = Scene::new();
    scene.listen("127.0.0.1:8080");
    scene.accept("127.0.0.1:8080", "127.0.0.1:40000", 12);
    scene.listen("192.168.1.2:443");
    scene.listen("[fd00::2]:443");
    scene.listen("127.0.0.1:9999");
    scene.pass(DAY);
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    let expected = "-p 192.168.1.2:443:443 -p [fd00::2]:443:443 -p 127.0.0.1:8080:8080";
    assert_eq!(run(&advice), expected);
    let conditions = advice.change.conditions.join("\n");
    assert!(conditions.contains("tcp 127.0.0.1:8080: let it listen on 0.0.0.0"), "{conditions}");
    let unused = advice.ports.iter().find(|port| port.port == 9999).unwrap();
    assert_eq!(unused.publish, Publish::Unused("127.0.0.1:9999:9999".to_owned()));
}

#[test]
fn ports_in_a_row_are_one() {
    let mut scene = Scene::new();
    for port in (8000..8200).chain([9000]) {
        scene.listen(&format!("0.0.0.0:{port}"));
        scene.listen(&format!("[::]:{port}"));
    }
    scene.accept("10.0.0.2:8001", "10.0.0.9:5000", 1);
    let advice = scene.advice();
    assert_eq!(run(&advice), "-p 8000-8199:8000-8199 -p 9000:9000");
    assert!(advice.change.conditions[0].starts_with("201 ports are published"));
}

#[test]
fn a_port_that_the_kernel_chose_cannot_be_published() {
    let mut scene = Scene::new();
    scene.bind("0.0.0.0:0", "0.0.0.0:41000", TCP);
    scene.listen("0.0.0.0:41000");
    scene.bind("0.0.0.0:0", "0.0.0.0:42000", TCP);
    let advice = scene.advice();
    assert_ne!(advice.verdict.answer, Answer::Needed);
    // Only what listened is a listener.
    assert_eq!(advice.ports.len(), 1, "{:?}", advice.ports);
    scene.accept("10.0.0.2:41000", "10.0.0.9:5000", 1);
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::Needed);
    assert!(because(&advice).contains("the kernel chose the port"), "{}", because(&advice));
}

#[test]
fn a_port_of_somebody_elses_cannot_be_published() {
    let mut scene = Scene::new();
    scene.listen_beside("0.0.0.0:80", vec![party(unit("nginx.service"))]);
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::Needed);
    assert!(because(&advice).contains("nginx.service on the host listens on that port, too"));
}

#[test]
fn a_source_address_of_the_hosts_is_a_condition() {
    let mut scene = web_server();
    let cookie = scene.bind("10.0.0.2:0", "10.0.0.2:40000", TCP);
    scene.connect_by(cookie, "10.0.0.2:40000", "93.184.216.34:443");
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded);
    assert_eq!(run(&advice), "-p 8080:8080");
    let source = advice.evidence.iter().find(|one| one.group == Group::SourceAddress).unwrap();
    assert_eq!(source.subject, "10.0.0.2 as the source");
}

#[test]
fn a_change_of_the_network_counts_where_it_is_allowed() {
    for (capabilities, answer) in [(&["NET_ADMIN"][..], Answer::Needed), (&[], Answer::NotNeeded)] {
        let mut scene = web_server();
        scene.container("vpn", capabilities);
        scene.listen("0.0.0.0:1194");
        scene.accept("10.0.0.2:1194", "10.0.0.9:5000", 20);
        scene.add_route();
        let advice = scene.advice();
        assert_eq!(advice.verdict.answer, answer, "{capabilities:?}");
    }
}

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
    assert!(older.verdict.doubts.contains(&"its start was not seen".to_owned()));
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
    for wanted in ["web", &id[..8], &id] {
        assert_eq!(scene.cases().advice_for(wanted).len(), 1, "{wanted}");
    }
    assert!(scene.cases().advice_for("").is_empty());
    assert!(scene.cases().advice_for("nobody").is_empty());
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

#[test]
fn hostile_names_drive_no_terminal() {
    let mut scene = Scene::without_agent("\u{1b}[2J\nevil: {x}", "2026-11-28T00:00:01Z");
    scene.listen("0.0.0.0:80");
    let advice = scene.advice();
    let shown = text(&advice);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert!(
        advice.change.compose.contains("\"\\u001b[2J\\nevil: {x}\""),
        "{}",
        advice.change.compose
    );
    let mut all = Vec::new();
    let to = anstream::StripStream::new(&mut all);
    show::all(&scene.all(), show::Form::Table, to).unwrap();
    assert!(!all.contains(&0x1b));
    let mut json = Vec::new();
    show::all(&scene.all(), show::Form::Json, &mut json).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json[0]["label"], "\u{1b}[2J\nevil: {x}");
    assert_eq!(json[0]["verdict"]["answer"], "not-enough-observed");
    assert_eq!(json[0]["ports"][0]["publish"]["publish"], "as");
}
