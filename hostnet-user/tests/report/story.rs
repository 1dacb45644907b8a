//! An afternoon on a host: a web server, an exporter, a container that looks around,
//! and an agent that was away for a while.

use std::sync::Arc;

use hostnet::{
    event::{
        Event, Finding, FindingEnds, Health, Operation, Outcome, Rule, Severity, Surface, Technique,
    },
    query::{Filter, History},
    report::{self, Origin, page},
};
use uuid::Uuid;

use crate::{
    acts::{self, Actor, SECOND, TCP, UDP},
    support::{Book, actor, second},
};

/// A container by this name, with its first process.
pub fn container(number: u32, name: &str, image: &str, mode: &str) -> Actor {
    let owner = acts::container(u64::from(number), name, image, mode);
    let process = acts::process(2000 + number, name, second(0), None);
    Actor { owner, process }
}

/// A finding of `by`'s.
pub fn finding(at: u64, by: &Actor, rule: &Arc<Rule>, severity: Severity, what: &str) -> Event {
    let finding = Finding {
        rule: Arc::clone(rule),
        severity,
        subject: what.to_owned(),
        sentence: what.to_owned(),
        evidence: Uuid::now_v7(),
        ends: FindingEnds::default(),
    };
    acts::event(at, Some(by), None, Operation::Finding(finding))
}

pub fn rule(
    id: &'static str,
    name: &'static str,
    technique: (&'static str, &'static str),
) -> Arc<Rule> {
    Arc::new(Rule {
        id: id.into(),
        name: name.into(),
        description: "What it means, and what to do about it.".into(),
        ruleset: "hostnet",
        techniques: vec![Technique { id: technique.0.into(), name: technique.1.into() }],
    })
}

/// A connect of `by`'s to a service, and its end.
pub fn visit(
    book: &mut Book,
    (at, cookie): (u64, u64),
    by: &Actor,
    (remote, surface): (std::net::SocketAddr, Surface),
    whose: Option<&Actor>,
    outcome: Outcome,
) {
    let local = ([127, 0, 0, 1], 40_000 + (cookie % 20_000) as u16).into();
    let socket = acts::socket(cookie, TCP, local);
    let mut event = acts::event(at, Some(by), Some(socket), acts::connect(local, remote, outcome));
    event.surface = Some(surface);
    event.peer = whose.map(|whose| acts::peer(whose, Some(remote)));
    book.tell(event);
    if outcome == Outcome::Success {
        let direction = hostnet::event::Direction::Egress;
        let close = acts::close((local, remote), direction, (480, 9_300), 30_000_000);
        book.act(at + 30_000_000, by, acts::socket(cookie, TCP, local), close);
    }
}

/// The afternoon.
pub fn afternoon() -> Book {
    let mut book = Book::new();
    book.start(second(0));
    let web = container(1, "web", "shop/web:2.1", "host");
    let exporter = container(2, "node-exporter", "prom/node-exporter:1.9", "host");
    let prober = container(3, "prober", "tools/probe:latest", "bridge");
    let redis = Actor {
        owner: acts::host("redis-server.service"),
        process: acts::process(700, "redis-server", second(0), None),
    };
    for (at, who) in [(1, &web), (2, &exporter), (900, &prober)] {
        book.life(second(at), who, acts::joined());
        book.life(second(at), who, acts::exec());
    }
    for (cookie, port, who) in [(1, 80, &web), (2, 9100, &exporter)] {
        let local = ([0, 0, 0, 0], port).into();
        book.act(second(3), who, acts::socket(cookie, TCP, local), acts::bind(local));
        book.act(second(3), who, acts::socket(cookie, TCP, local), acts::listen(local));
    }
    let local = ([127, 0, 0, 1], 6379).into();
    book.act(second(3), &redis, acts::socket(3, TCP, local), acts::listen(local));
    let redis_at = (([127, 0, 0, 1], 6379).into(), Surface::HostLoopback);
    for turn in 0..400 {
        let at = second(10 + turn * 6);
        visit(&mut book, (at, 100 + turn), &web, redis_at, Some(&redis), Outcome::Success);
        let (local, remote) = (([10, 0, 0, 5], 9100).into(), ([10, 0, 0, 9], 51_000).into());
        let socket = acts::socket(10_000 + turn, TCP, local);
        book.act(at + 1, &exporter, socket, acts::accept(local, remote));
    }
    let dns = ([10, 0, 0, 2], 53).into();
    let local = ([10, 0, 0, 5], 40_000).into();
    let flow = hostnet::event::FlowCount { remote: dns, sent: 12, received: 12 };
    let close = acts::datagrams_closed(local, vec![flow]);
    book.act(second(1200), &web, acts::socket(50, UDP, local), close);
    looks_around(&mut book, &prober);
    book.life(second(1500), &prober, acts::left());
    book.stop(second(2600));
    book.start(second(3000));
    book.life(second(3400), &web, acts::exec());
    book
}

fn looks_around(book: &mut Book, prober: &Actor) {
    let loopback = |port| (([127, 0, 0, 1], port).into(), Surface::HostLoopback);
    for port in 1..200_u16 {
        let at = second(930) + u64::from(port) * SECOND / 20;
        let outcome = if port == 80 { Outcome::Success } else { Outcome::Failure(Some(111)) };
        visit(book, (at, 30_000 + u64::from(port)), prober, loopback(port), None, outcome);
    }
    let metadata = (([169, 254, 169, 254], 80).into(), Surface::Metadata);
    visit(book, (second(1100), 39_000), prober, metadata, None, Outcome::Success);
    visit(book, (second(1110), 39_001), prober, loopback(2375), None, Outcome::Success);
    let child = Actor {
        owner: Arc::clone(&prober.owner),
        process: acts::process(4001, "curl", second(1100), Some(&prober.process)),
    };
    book.life(second(1100), &child, acts::exec());
    book.life(second(1101), &child, acts::exit());
    let scan = rule("port-scan", "Ports scanned", ("T1046", "Network Service Discovery"));
    let api = rule("runtime-api", "Container runtime's API reached", ("T1610", "Deploy Container"));
    let cloud = rule(
        "cloud-metadata",
        "Cloud metadata reached",
        ("T1552.005", "Unsecured Credentials: Cloud Instance Metadata API"),
    );
    for (at, rule, severity, what) in [
        (936, &scan, Severity::Medium, "scanned 20 ports of 127.0.0.1 within 1 s"),
        (1100, &cloud, Severity::High, "reached the metadata service 169.254.169.254:80"),
        (1110, &api, Severity::Critical, "reached the Docker API at 127.0.0.1:2375"),
    ] {
        book.tell(finding(second(at), prober, rule, severity, what));
    }
}

/// What can be asked of a book when all of it is kept.
pub fn kept(mut book: Book) -> (History, Book) {
    book.crash();
    (book.read(), book)
}

/// The page of a history.
pub fn page_of(history: &History, filter: &Filter) -> String {
    let origin = Origin {
        source: "/var/lib/hostnet/history.db".to_owned(),
        version: "0.0.0".to_owned(),
        command_line: vec!["hostnet".to_owned(), "report".to_owned()],
        operator: "user 0 (root)".to_owned(),
        ..Origin::default()
    };
    page::html(&report::gather(history, filter, origin).expect("facts"))
}

/// Somebody with a number, who did something.
pub fn somebody(number: u32) -> Actor {
    actor(number, second(0))
}

/// Records that were lost.
pub fn lost(from: u64, to: u64) -> Event {
    let (from_ns, to_ns) = (from - acts::BOOTED_NS, to - acts::BOOTED_NS);
    let lost = Health::Lost { place: "ring".to_owned(), from_ns, to_ns, by: Vec::new() };
    acts::event(to, None, None, lost.into())
}
