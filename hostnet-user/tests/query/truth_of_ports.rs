//! A thousand questions about who had a port, against a model of who had it. The
//! agent stops and starts meanwhile: what happens then it cannot have seen.

use std::collections::BTreeSet;

use hostnet::{
    event::{ExistingSocket, Operation, SocketState},
    query::{Time, Verdict, who_had_port},
};

use crate::{
    acts::{self, Actor, SECOND, TCP, UDP},
    support::{Book, Chance, actor, second},
};

const ACTS: u64 = 2500;
const QUESTIONS: u64 = 1000;
const CONTAINERS: u32 = 12;
const PORTS: u64 = 40;

/// A socket of the model.
#[derive(Clone)]
struct Lived {
    cookie: u64,
    protocol: u32,
    local: std::net::SocketAddr,
    owner: usize,
    since: u64,
    until: u64,
}

struct World {
    chance: Chance,
    book: Book,
    actors: Vec<Actor>,
    lived: Vec<Lived>,
    at: u64,
    cookie: u64,
    sees: bool,
    /// When no agent looked.
    gaps: Vec<(u64, u64)>,
}

impl World {
    fn step(&mut self) {
        self.at += 1 + self.chance.below(20 * SECOND);
        match self.chance.below(100) {
            0..=1 if self.sees => {
                self.book.stop(self.at);
                self.sees = false;
                self.gaps.push((self.at, u64::MAX));
            }
            0..=29 if !self.sees => self.start(),
            2..=49 => self.open(),
            50..=86 => self.close(),
            87..=98 => self.open(),
            _ => self.leave(),
        }
    }

    fn start(&mut self) {
        self.book.start(self.at);
        self.sees = true;
        self.gaps.last_mut().expect("it was away").1 = self.at;
        let began = self.at;
        for one in self.lived.clone().into_iter().filter(|one| one.until == u64::MAX) {
            self.at += 1000;
            let is_tcp = one.protocol == TCP;
            let socket = acts::socket(one.cookie, one.protocol, one.local);
            let existing = ExistingSocket {
                socket: socket.socket,
                state: if is_tcp { SocketState::Listen } else { SocketState::Bound },
                local: Some(one.local),
                remote: None,
                local_name: None,
                remote_name: None,
                direction: None,
                backlog: None,
                interface: None,
                user: None,
            };
            assert!(one.since < began);
            let by = self.actors[one.owner].clone();
            self.book.act(self.at, &by, socket, Operation::ExistingSocket(existing));
        }
    }

    fn open(&mut self) {
        let owner = self.chance.below(u64::from(CONTAINERS)) as usize;
        let protocol = *self.chance.one_of(&[TCP, UDP]);
        let port = 8000 + self.chance.below(PORTS) as u16;
        let ip = *self.chance.one_of(&[[127, 0, 0, 1], [0, 0, 0, 0]]);
        let local = (ip, port).into();
        self.cookie += 1;
        let socket = acts::socket(self.cookie, protocol, local);
        let since = self.at;
        if self.sees {
            let by = self.actors[owner].clone();
            self.book.act(self.at, &by, socket, acts::bind(local));
            if protocol == TCP {
                self.at += 1000;
                self.book.act(self.at, &by, socket, acts::listen(local));
            }
        }
        let (cookie, until) = (self.cookie, u64::MAX);
        self.lived.push(Lived { cookie, protocol, local, owner, since, until });
    }

    fn close(&mut self) {
        let open: Vec<usize> =
            (0..self.lived.len()).filter(|at| self.lived[*at].until == u64::MAX).collect();
        if open.is_empty() {
            return;
        }
        let which = *self.chance.one_of(&open);
        self.lived[which].until = self.at;
        let Lived { cookie, protocol, local, owner, .. } = self.lived[which].clone();
        if self.sees {
            let operation = match protocol {
                TCP => acts::listener_closed(local),
                _ => acts::datagrams_closed(local, Vec::new()),
            };
            let by = self.actors[owner].clone();
            self.book.act(self.at, &by, acts::socket(cookie, protocol, local), operation);
        }
    }

    /// A container goes, and nobody tells of each of its sockets.
    fn leave(&mut self) {
        let owner = self.chance.below(u64::from(CONTAINERS)) as usize;
        for one in self.lived.iter_mut().filter(|one| one.owner == owner) {
            one.until = one.until.min(self.at);
        }
        if self.sees {
            self.book.life(self.at, &self.actors[owner].clone(), acts::left());
        }
    }
}

#[test]
fn a_thousand_questions_about_ports() {
    let at = second(0);
    let mut book = Book::new();
    book.start(at);
    let actors = (0..CONTAINERS).map(|number| actor(number, at)).collect();
    let (chance, lived) = (Chance(7), Vec::new());
    let mut world =
        World { chance, book, actors, lived, at, cookie: 0, sees: true, gaps: Vec::new() };
    (0..ACTS).for_each(|_| world.step());
    if !world.sees {
        world.at += 1;
        world.start();
    }
    let end = world.at;
    world.book.stop(end);
    let history = world.book.read();
    let (mut named, mut nobody, mut gaps) = (0, 0, 0);
    for question in 0..QUESTIONS {
        let port = 8000 + world.chance.below(PORTS) as u16;
        let when = at + 1 + world.chance.below(end - at - 1);
        let answer = who_had_port(&history, port, None, Some(Time(when.cast_signed())));
        let answer = answer.expect("an answer");
        let said: BTreeSet<(String, String, String)> = answer
            .rows
            .iter()
            .filter(|row| row.answer == Verdict::Held)
            .map(|row| {
                let address = row.address.clone().expect("an address");
                (row.container.clone().expect("a name"), row.protocol.clone(), address)
            })
            .collect();
        if world.gaps.iter().any(|(from, to)| *from < when && when < *to) {
            gaps += 1;
            // Whoever is named then is named with a doubt, and never nobody for sure.
            let is_sure =
                answer.rows.iter().any(|row| matches!(row.answer, Verdict::Held | Verdict::Nobody));
            assert!(!is_sure && !answer.rows.is_empty(), "question {question}: {answer:?}");
            continue;
        }
        let truth: BTreeSet<(String, String, String)> = world
            .lived
            .iter()
            .filter(|one| one.local.port() == port && one.since <= when && when < one.until)
            .map(|one| {
                let name = world.actors[one.owner].owner.label().to_owned();
                let protocol = if one.protocol == TCP { "tcp" } else { "udp" };
                (name, protocol.to_owned(), one.local.ip().to_string())
            })
            .collect();
        assert_eq!(said, truth, "question {question}: port {port} at {when}: {answer:#?}");
        if truth.is_empty() {
            nobody += 1;
            assert_eq!(answer.rows[0].answer, Verdict::Nobody, "question {question}");
        } else {
            named += 1;
        }
    }
    assert!(named > 100 && nobody > 10 && gaps > 10, "{named} named, {nobody} nobody, {gaps} gaps");
}
