//! Answers one by one: listeners, flows, containers, processes, trees, gaps.

use hostnet::{
    event::{Datagram, Direction, FlowCount, Outcome, Process},
    query::{
        Filter, PeerFilter, Subject, Time, Verdict, around, containers, events, first_seen, flows,
        listeners, processes, tree, who_had_port,
    },
};

use crate::{
    acts::{self, Actor, SECOND, TCP, UDP},
    support::{Book, actor, second},
};

fn time(number: u64) -> Time {
    Time(second(number).cast_signed())
}

/// A server, a client, and what passes between them from second 10 to 30.
fn shop() -> (Book, Actor, Actor) {
    let mut book = Book::new();
    book.start(second(0));
    let (server, client) = (actor(1, second(1)), actor(2, second(2)));
    book.life(second(1), &server, acts::joined());
    book.life(second(1), &server, acts::exec());
    book.life(second(2), &client, acts::exec());
    let at = ([127, 0, 0, 1], 6379).into();
    let listener = acts::socket(1, TCP, at);
    book.act(second(10), &server, listener, acts::bind(at));
    book.act(second(10) + 1, &server, listener, acts::listen(at));
    let own = ([127, 0, 0, 1], 40_000).into();
    let mut connect = acts::event(
        second(12),
        Some(&client),
        Some(acts::socket(2, TCP, own)),
        acts::connect(own, at, Outcome::Success),
    );
    connect.peer = Some(acts::peer(&server, Some(at)));
    book.tell(connect);
    book.act(second(12), &server, acts::socket(3, TCP, at), acts::accept(at, own));
    let close = |ends, direction, bytes| acts::close(ends, direction, bytes, 3 * SECOND);
    let ended = close((own, at), Direction::Egress, (80, 300));
    book.act(second(15), &client, acts::socket(2, TCP, own), ended);
    let ended = close((at, own), Direction::Ingress, (300, 80));
    book.act(second(15), &server, acts::socket(3, TCP, at), ended);
    let refused = acts::connect(own, ([127, 0, 0, 1], 81).into(), Outcome::Failure(Some(111)));
    book.act(second(16), &client, acts::socket(4, TCP, own), refused);
    book.act(second(30), &server, listener, acts::listener_closed(at));
    book.life(second(40), &client, acts::exit());
    book.life(second(41), &client, acts::left());
    (book, server, client)
}

#[test]
fn a_listener_from_its_beginning_to_its_end() {
    let (mut book, ..) = shop();
    let history = book.read();
    let rows = listeners(&history, &Filter::default()).unwrap();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.since, row.until), (time(10), Some(time(30))));
    assert_eq!((row.address.as_str(), row.port), ("127.0.0.1", 6379));
    assert_eq!(row.exposure.as_deref(), Some("loopback"));
    assert_eq!((row.container.as_str(), row.process.as_deref()), ("service-1", Some("service-1")));
    let none = |filter: Filter| listeners(&history, &filter).unwrap().is_empty();
    assert!(none(Filter { since: Some(time(31)), ..Filter::default() }));
    assert!(none(Filter { until: Some(time(9)), ..Filter::default() }));
    assert!(none(Filter { container: Some("service-2".to_owned()), ..Filter::default() }));
}

#[test]
fn flows_are_what_zeek_would_say() {
    let (mut book, ..) = shop();
    let history = book.read();
    let mut rows = Vec::new();
    flows(&history, &Filter::default(), &PeerFilter::default(), |row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    let [client, server, refused] = rows.as_slice() else { panic!("{rows:#?}") };
    for row in [client, server] {
        assert_eq!((row.orig_h.as_deref(), row.orig_p), (Some("127.0.0.1"), Some(40_000)));
        assert_eq!((row.resp_p, row.conn_state), (Some(6379), "SF"));
        assert_eq!((row.orig_bytes, row.resp_bytes), (Some(80), Some(300)));
        assert_eq!(row.duration, Some(3.0));
        assert!(row.community_id.is_some());
    }
    assert!(client.local_orig && !client.local_resp && !server.local_orig && server.local_resp);
    assert_eq!(client.service.as_deref(), Some("service-1"));
    assert_eq!((refused.conn_state, refused.reason.as_deref()), ("REJ", Some("ECONNREFUSED")));
}

#[test]
fn containers_processes_and_what_happened_when() {
    let (mut book, ..) = shop();
    let history = book.read();
    let rows = containers(&history, &Filter::default()).unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row.container.as_str()).collect();
    assert_eq!(names, ["service-1", "service-2"]);
    assert_eq!((rows[0].joined, rows[0].left), (Some(time(1)), None));
    assert_eq!((rows[1].left, rows[1].last), (Some(time(41)), time(41)));
    assert_eq!(rows[0].image.as_deref(), Some("shop/service:1.2"));
    assert_eq!(rows[0].declared.as_deref(), Some("host"));
    let filter = Filter { process: Some("service-2".to_owned()), ..Filter::default() };
    let rows = processes(&history, &filter).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].pid, rows[0].end, rows[0].status), (1002, Some(time(40)), Some(0)));
    let mut ids = Vec::new();
    around(&history, time(12), 1_000_000_000, &Filter::default(), |row| {
        ids.push(row.action);
        Ok(())
    })
    .unwrap();
    assert_eq!(ids, ["connection_attempted", "connection_accepted"]);
    let rows = first_seen(&history, &Subject::of("6379"), &Filter::default()).unwrap();
    let hows: Vec<&str> = rows.iter().map(|row| row.how.as_str()).collect();
    assert_eq!(hows, ["listening", "egress", "ingress"]);
    let rows = first_seen(&history, &Subject::of("shop/service"), &Filter::default()).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].first, time(1));
}

#[test]
fn filters_narrow_down_and_who_is_not_there_is_said() {
    let (mut book, ..) = shop();
    let history = book.read();
    let count = |filter: &Filter| {
        let mut count = 0;
        events(&history, filter, |_| {
            count += 1;
            Ok(())
        })
        .map(|()| count)
    };
    let of = |name: &str| Filter { container: Some(name.to_owned()), ..Filter::default() };
    let id = acts::id(1);
    for (filter, expected) in [
        (Filter::default(), 14),
        (of("service-1"), 7),
        (of(&id), 7),
        (of(&id[..12]), 7),
        (Filter { image: Some("shop/service:1.2".to_owned()), ..Filter::default() }, 13),
        (Filter { actions: vec!["exec".to_owned()], ..Filter::default() }, 2),
        (Filter { process: Some("1002".to_owned()), ..Filter::default() }, 6),
        (Filter { since: Some(time(30)), ..Filter::default() }, 3),
        (Filter { until: Some(time(0)), ..Filter::default() }, 1),
        (Filter { limit: Some(3), ..Filter::default() }, 3),
        (Filter { limit: Some(0), ..Filter::default() }, 0),
    ] {
        assert_eq!(count(&filter).unwrap(), expected, "{filter:?}");
    }
    let error = count(&of("nobody")).unwrap_err().to_string();
    assert!(error.contains("knows no container nobody"), "{error}");
    let image = Filter { image: Some("other".to_owned()), ..Filter::default() };
    assert!(count(&image).is_err());
}

/// A tree of processes, one of which began before the agent.
#[test]
fn a_tree_down_from_the_first_process() {
    let mut book = Book::new();
    book.start(second(0));
    let first = actor(1, second(1));
    let child = |pid, name, parent: &Process, at| {
        let process = acts::process(pid, name, second(at), Some(parent));
        Actor { process, ..first.clone() }
    };
    let shell = child(2001, "sh", &first.process, 2);
    let curl = child(2002, "curl", &shell.process, 3);
    let sleep = child(2003, "sleep", &first.process, 4);
    for (at, one) in [(1, &first), (2, &shell), (3, &curl), (4, &sleep)] {
        book.life(second(at), one, acts::exec());
    }
    book.life(second(5), &curl, acts::exit());
    let history = book.read();
    let filter = Filter { container: Some("service-1".to_owned()), ..Filter::default() };
    let rows = tree(&history, &filter).unwrap();
    let shown: Vec<(usize, u32)> = rows.iter().map(|row| (row.depth, row.pid)).collect();
    assert_eq!(shown, [(0, 1001), (1, 2001), (2, 2002), (1, 2003)]);
    assert_eq!((rows[2].end, rows[2].tree.as_str()), (Some(time(5)), "  └ curl"));
}

/// Everything that makes an answer less than certain.
#[test]
fn an_answer_says_what_it_cannot_know() {
    let mut book = Book::new();
    let at = ([0, 0, 0, 0], 53).into();
    let tcp = acts::socket(7, TCP, at);
    let server = actor(1, second(1));
    book.start(second(10));
    book.act(second(20), &server, acts::socket(8, UDP, at), acts::bind(at));
    book.act(second(20), &server, tcp, acts::bind(at));
    book.life(second(30), &server, acts::exit());
    // Without a word at second 30; the next agent begins a minute later.
    let run = book.start_after_crash(second(90));
    book.tell(acts::event(second(90), None, None, acts::crashed(run, second(30), second(90))));
    book.life(second(99), &server, acts::exec());
    book.stop(second(100));
    book.boot("boot-2");
    book.start(second(200));
    book.life(second(210), &server, acts::exec());
    let history = book.read();
    let ask = |at: u64, protocol| {
        let mut rows =
            who_had_port(&history, 53, Some(protocol), Some(time(at))).expect("an answer").rows;
        assert_eq!(rows.len(), 1, "at {at}: {rows:#?}");
        let row = rows.remove(0);
        (row.answer, row.why.unwrap_or_default())
    };
    let (answer, why) = ask(5, "udp");
    assert!(answer == Verdict::Unknown && why.contains("begins at"), "{why}");
    assert_eq!(ask(15, "udp").0, Verdict::Nobody);
    assert_eq!(ask(25, "udp").0, Verdict::Held);
    assert_eq!(ask(25, "tcp").0, Verdict::Held);
    let (answer, why) = ask(50, "udp");
    assert!(answer == Verdict::Perhaps && why.contains("no agent ran"), "{why}");
    assert_eq!(ask(95, "udp").0, Verdict::Nobody, "the agent that started then did not find it");
    let (answer, why) = ask(150, "tcp");
    assert!(answer == Verdict::Perhaps && why.contains("no agent ran"), "{why}");
    assert_eq!(ask(205, "tcp").0, Verdict::Nobody, "the host was booted");
    let (answer, why) = ask(999, "tcp");
    assert!(answer == Verdict::Unknown && why.contains("complete only until"), "{why}");
    let ever = who_had_port(&history, 53, None, None).expect("an answer");
    assert_eq!(ever.rows.len(), 2);
}

/// Where nothing happens, no event says so: the history does, and a reader that asks about
/// this very moment waits for it.
#[test]
fn a_quiet_host_is_known_until_the_agent_last_said_so() {
    let mut book = Book::new();
    book.start(second(0));
    let known_until = |book: &mut Book, until: u64| {
        book.known_until(until);
        let history = book.read();
        let answer = who_had_port(&history, 80, Some("tcp"), Some(Time(until.cast_signed())));
        let later = who_had_port(&history, 80, Some("tcp"), Some(Time(until.cast_signed() + 1)));
        let row = |answer: anyhow::Result<hostnet::query::PortAnswer>| {
            let row = answer.expect("an answer").rows.remove(0);
            (row.answer, row.why.unwrap_or_default())
        };
        (row(answer), row(later))
    };
    for minute in 1..4 {
        let until = second(60 * minute);
        let (then, later) = known_until(&mut book, until);
        assert_eq!(then, (Verdict::Nobody, String::new()), "after {minute} minutes");
        let why = format!("complete only until {}", Time(until.cast_signed()));
        assert!(later.0 == Verdict::Unknown && later.1.contains(&why), "{later:?}");
    }
    // An agent that was killed said so of its own run, and no later one says it for it.
    book.start_after_crash(second(900));
    let history = book.read();
    let at = |number| who_had_port(&history, 80, Some("tcp"), Some(time(number))).expect("it").rows;
    assert_eq!(at(600)[0].answer, Verdict::Unknown);
    assert_eq!(at(900)[0].answer, Verdict::Nobody);
}

/// The close of a socket or a sign of it later proves that somebody had it, whichever
/// process ended meanwhile.
#[test]
fn the_end_of_a_process_ends_no_socket() {
    let mut book = Book::new();
    book.start(second(0));
    let parent = actor(1, second(1));
    let process = acts::process(2001, "child", second(2), Some(&parent.process));
    let child = Actor { process, ..parent.clone() };
    let at: std::net::SocketAddr = ([0, 0, 0, 0], 53).into();
    let (shown, silent) = (acts::socket(7, UDP, at), acts::socket(8, TCP, at));
    for socket in [shown, silent] {
        book.act(second(10), &parent, socket, acts::bind(at));
    }
    book.life(second(20), &parent, acts::exit());
    let from = ([127, 0, 0, 1], 4000).into();
    let arrival =
        Datagram { local: at, remote: from, direction: Direction::Ingress, is_last: false };
    book.act(second(30), &child, shown, arrival.into());
    book.life(second(60), &child, acts::exec());
    let ask = |history: &hostnet::query::History, at: u64, protocol| {
        let at = Some(time(at));
        let mut rows = who_had_port(history, 53, Some(protocol), at).expect("an answer").rows;
        assert_eq!(rows.len(), 1, "{rows:#?}");
        rows.remove(0)
    };
    let history = book.read();
    for (at, protocol, answer, pid) in [
        (15, "udp", Verdict::Held, 1001),
        (25, "udp", Verdict::Held, 1001),
        (35, "udp", Verdict::Held, 2001),
        (15, "tcp", Verdict::Held, 1001),
        (25, "tcp", Verdict::Perhaps, 1001),
        (50, "tcp", Verdict::Perhaps, 1001),
    ] {
        let row = ask(&history, at, protocol);
        assert_eq!((row.answer, row.pid), (answer, Some(pid)), "{protocol} at {at}: {row:#?}");
        assert_eq!(row.why.is_some(), answer == Verdict::Perhaps, "{row:#?}");
    }
    book.life(second(70), &child, acts::left());
    book.life(second(80), &actor(2, second(1)), acts::exec());
    let history = book.read();
    assert_eq!(ask(&history, 65, "tcp").answer, Verdict::Perhaps);
    assert_eq!(ask(&history, 75, "tcp").answer, Verdict::Nobody, "the container left");
    assert_eq!(ask(&history, 75, "udp").answer, Verdict::Nobody);
}

/// A first datagram is told anew by each run of the agent.
#[test]
fn a_udp_peer_that_two_runs_see_is_one_peer_and_one_flow() {
    let mut book = Book::new();
    let client = actor(1, second(1));
    let (own, peer) = (([10, 0, 0, 5], 5000).into(), ([10, 0, 0, 7], 53).into());
    let socket = acts::socket(9, UDP, own);
    for run in 0..3 {
        book.start(second(10 + 100 * run));
        let sent =
            Datagram { local: own, remote: peer, direction: Direction::Egress, is_last: false };
        book.act(second(20 + 100 * run), &client, socket, sent.into());
        if run == 2 {
            let count = FlowCount { remote: peer, sent: 3, received: 1 };
            book.act(second(240), &client, socket, acts::datagrams_closed(own, vec![count]));
        }
        book.stop(second(50 + 100 * run));
    }
    let history = book.read();
    let mut rows = Vec::new();
    flows(&history, &Filter::default(), &PeerFilter::default(), |row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!((rows[0].ts, rows[0].orig_pkts), (time(20), Some(3)));
    let narrowed = Filter { since: Some(time(5)), until: Some(time(299)), ..Filter::default() };
    for filter in [Filter::default(), narrowed] {
        let rows = hostnet::query::peers(&history, &filter, &PeerFilter::default()).unwrap();
        let sum = |of: fn(&hostnet::query::PeerRow) -> u64| rows.iter().map(of).sum::<u64>();
        assert_eq!((sum(|row| row.begun), sum(|row| row.datagrams_sent)), (1, 3), "{rows:#?}");
    }
}

#[test]
fn the_beginning_of_several_ids_is_refused_with_their_names() {
    let mut book = Book::new();
    book.start(second(0));
    let digit = |number: u64| acts::id(number)[..1].to_owned();
    let other = (2..).find(|number| digit(*number) == digit(1)).expect("one of sixteen digits");
    for number in [1, other as u32] {
        book.life(second(1), &actor(number, second(1)), acts::exec());
    }
    book.stop(second(2));
    let history = book.read();
    let owners = |wanted: &str| {
        let filter = Filter { container: Some(wanted.to_owned()), ..Filter::default() };
        filter.owners(&history).map(|owners| owners.map(|all| all.len()))
    };
    let names = ["service-1".to_owned(), format!("service-{other}")];
    let errors = [owners(&digit(1)).err(), Filter::namesakes(&history, &digit(1)).err()];
    for error in errors {
        let error = error.expect("two are meant").to_string();
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
    }
    assert_eq!(owners(&acts::id(1)).unwrap(), Some(1));
    assert_eq!(owners(&names[1]).unwrap(), Some(1));
    let error = owners("nobody").unwrap_err().to_string();
    assert!(error.contains("knows no container nobody"), "{error}");
}
