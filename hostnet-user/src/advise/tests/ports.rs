//! What is published.

use super::{
    because, run,
    scene::{DAY, Scene, TCP, UDP, party, unit},
    web_server,
};
use crate::advise::{Answer, Confidence, Publish};

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
    let [ipv4] = advice.change.conditions.as_slice() else { panic!("{advice:?}") };
    assert!(ipv4.starts_with("tcp *:8080, udp *:5353: it listens on IPv4 only"), "{ipv4}");
    let compose = "services:\n  web:\n    # remove: network_mode: host\n    ports:\n      - \
                   \"8080:8080\"\n      - \"8443:8443\"\n      - \"5353:5353/udp\"\n";
    assert_eq!(advice.change.compose, compose);
    let came: Vec<u64> = advice.ports.iter().map(|port| port.by_others).collect();
    assert_eq!(came, [20, 0, 1]);
    assert_eq!(advice.measured.connections_in, 20);
    assert_eq!(advice.measured.connections_per_second_peak, 20);
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
    let expected = "-p 192.168.1.2:443:443 -p '[fd00::2]:443:443' -p 127.0.0.1:8080:8080";
    assert_eq!(run(&advice), expected);
    let conditions = advice.change.conditions.join("\n");
    assert!(conditions.contains("tcp 127.0.0.1:8080: let it listen on 0.0.0.0"), "{conditions}");
    let unused = advice.ports.iter().find(|port| port.port == 9999).unwrap();
    assert_eq!(unused.publish, Publish::Unused(vec!["127.0.0.1:9999:9999".to_owned()]));
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
fn a_udp_port_that_the_kernel_chose_is_a_clients_until_somebody_else_sends_first() {
    let mut scene = web_server();
    scene.bind("0.0.0.0:0", "0.0.0.0:41000", UDP);
    assert_eq!(scene.advice().ports.len(), 1);
    scene.receive("10.0.0.2:41000", "10.0.0.9:5000");
    let advice = scene.advice();
    assert_eq!(advice.ports[1].place(), "udp *:41000");
    assert!(because(&advice).contains("the kernel chose the port"), "{}", because(&advice));
}

/// One that is made anew each time does not fill the memory.
#[test]
fn listeners_at_ports_of_the_kernels_are_forgotten_with_their_end() {
    let mut scene = web_server();
    for port in 20_000..30_000 {
        let at = format!("127.0.0.1:{port}");
        scene.bind("127.0.0.1:0", &at, TCP);
        scene.listen(&at);
        scene.closed_listener(&at);
    }
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::NotNeeded, "{:?}", advice.verdict);
    assert_eq!(advice.ports.len(), 1);
}

#[test]
fn a_port_of_somebody_elses_cannot_be_published() {
    let mut scene = Scene::new();
    scene.listen_beside("0.0.0.0:80", vec![party(unit("nginx.service"))]);
    let advice = scene.advice();
    assert_eq!(advice.verdict.answer, Answer::Needed);
    assert!(because(&advice).contains("nginx.service on the host listens on that port, too"));
}
