//! A container runtime that answers as none should: the agent goes on observing,
//! says what is wrong, and takes neither long nor much memory for it.

use std::{
    collections::VecDeque,
    fs,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    sync::Mutex,
    thread,
    time::Duration,
};

use hostnet_tests::{
    Agent, Docker,
    api::{self, Api, VERSION},
    is_slow, needs_root, net, tell, wait_for, want,
};

/// The most memory that an agent may ever have had, whatever it was answered. It
/// has 40 MiB when it reads the kernel's types, and an answer may take as much as
/// the list of ten thousand containers.
const MOST_MIB: u64 = 160;

/// Agents that run at once: most of them wait. A slow machine has to give each
/// what it can, because the agent's patience with a runtime is in seconds.
fn at_once() -> usize {
    if is_slow() { 1 } else { 4 }
}

const ID: &str = "abababababababababababababababababababababababababababababababab";

type Answer = fn(UnixStream) -> io::Result<()>;

/// What the server does to requests that begin with `at`; it answers others well.
struct Script {
    at: &'static str,
    name: &'static str,
    answer: Answer,
    outcome: Outcome,
}

/// What the agent says of it.
#[derive(Clone, Copy)]
enum Outcome {
    /// The runtime does not answer, for this reason.
    Unreachable(&'static str),
    /// The runtime answers; a message has these words.
    Warned(&'static str),
    /// The runtime answers.
    Fine,
}
use Outcome::{Fine, Unreachable, Warned};

const fn script(at: &'static str, name: &'static str, outcome: Outcome, answer: Answer) -> Script {
    Script { at, name, answer, outcome }
}

const NO_HTTP: Outcome = Unreachable("no HTTP");
const LATE: Outcome = Unreachable("no answer within");
const TOO_LONG: Outcome = Unreachable("more than");
const NOT_THIS: Outcome = Unreachable("unexpected JSON");
const OLD_CLIENT: Outcome = Warned(
    "Docker refused the list of containers: client API 1.41 is older than the daemon's minimum 1.44",
);
const REFUSED_LIST: Outcome =
    Warned("Docker refused the list of containers: answers with status 403: lists are not for you");
const UNINSPECTED: Outcome = Warned("could not inspect a container");

const SCRIPTS: &[Script] = &[
    script("/version", "garbage", NO_HTTP, |s| endless(&s, b"\x00\xff\x1b[2J\r\n")),
    script("/version", "TLS", NO_HTTP, |s| endless(&s, b"\x15\x03\x01\x00\x02\x02\x28")),
    script("/version", "no answer", LATE, |s| api::silence(&s)),
    script("/version", "hangs up", Unreachable("broken off"), |_| Ok(())),
    script("/version", "one byte at a time", LATE, |s| {
        slowly(&s, b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{\"Version\":\"")
    }),
    script("/version", "a head without end", NO_HTTP, |s| {
        (&s).write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
        endless(&s, &[b'x'; 4096])
    }),
    script("/version", "headers without end", NO_HTTP, |s| {
        (&s).write_all(b"HTTP/1.1 200 OK\r\n")?;
        endless(&s, b"X: y\r\n")
    }),
    script("/version", "to be continued forever", TOO_LONG, |s| {
        endless(&s, b"HTTP/1.1 100 Continue\r\n\r\n")
    }),
    script("/version", "chunks without end", TOO_LONG, |s| endless_chunks(&s, &[b' '; 65_536])),
    script("/version", "chunks of one byte without end", LATE, |s| {
        api::chunked(&s)?;
        slowly(&s, &b"1\r\n \r\n".repeat(1 << 16))
    }),
    script("/version", "1 GB", TOO_LONG, |s| gigabyte(&s)),
    script("/version", "less than announced", Unreachable("broken off"), |s| {
        (&s).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
    }),
    script("/version", "a length that is none", NO_HTTP, |s| {
        (&s).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}")
    }),
    script("/version", "two lengths", NO_HTTP, |s| {
        (&s).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}")
    }),
    script("/version", "HTTP/1.0", Fine, |s| {
        (&s).write_all(format!("HTTP/1.0 200 OK\r\n\r\n{VERSION}").as_bytes())
    }),
    script("/version", "elsewhere", Unreachable("status 301"), |s| {
        (&s).write_all(
            b"HTTP/1.1 301 Moved\r\nLocation: http://203.0.113.1/\r\nContent-Length: 0\r\n\r\n",
        )
    }),
    script("/version", "an error that drives a terminal", Unreachable("status 500"), |s| {
        let text = "\x1b]0;x\x07".repeat(100_000);
        let head = format!("HTTP/1.1 500 No\r\nContent-Length: {}\r\n\r\n", text.len());
        (&s).write_all(head.as_bytes())?;
        (&s).write_all(text.as_bytes())
    }),
    script("/version", "another protocol", Unreachable(""), |s| {
        (&s).write_all(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")?;
        endless(&s, b"x")
    }),
    script("/version", "a version that is a path", Unreachable("no version"), |s| {
        api::json(&s, r#"{"ApiVersion":"1.41/../../images"}"#)
    }),
    script("/version", "an array", NOT_THIS, |s| api::json(&s, "[[],7]")),
    script("/version", "depth", NOT_THIS, |s| api::json(&s, &"[".repeat(500_000))),
    script("/containers/json", "list: no answer", LATE, |s| api::silence(&s)),
    script("/containers/json", "list: 1 GB", TOO_LONG, |s| gigabyte(&s)),
    script("/containers/json", "list: the client is too old", OLD_CLIENT, |s| {
        let text = "client version 1.41 is too old. Minimum supported API version is 1.44, \
                    please upgrade your client to a newer version";
        refusal(&s, "400 Bad Request", text)
    }),
    script("/containers/json", "list: refused by a proxy", REFUSED_LIST, |s| {
        refusal(&s, "403 Forbidden", "lists are not for you")
    }),
    script("/containers/json", "list: an object", NOT_THIS, |s| api::json(&s, "{}")),
    script("/containers/json", "list: 10 000 000 nothings", TOO_LONG, |s| {
        api::json(&s, &format!("[{}{{}}]", "{},".repeat(10_000_000)))
    }),
    script("/containers/json", "list: names without end", TOO_LONG, |s| {
        api::json(&s, &format!("[{{\"Names\":[{}\"\"]}}]", "\"\",".repeat(10_000_000)))
    }),
    script("/containers/json", "list: strange ids", Warned("cannot be read"), |s| {
        let upper = ID.to_uppercase();
        api::json(&s, &format!(r#"[{{"Id":"../../info"}},{{"Id":"{upper}"}},{{}}]"#))
    }),
    script("/containers/json", "list: an id that is a number", NOT_THIS, |s| {
        api::json(&s, &format!(r#"[{{"Id":"{ID}"}},{{"Id":7}}]"#))
    }),
    script("/containers/json", "list: labels without end", TOO_LONG, |s| {
        let each = (0..2_000_000).map(|n| format!(r#""{n}":"""#)).collect::<Vec<_>>().join(",");
        api::json(&s, &format!(r#"[{{"Id":"{ID}","Labels":{{{each}}}}}]"#))
    }),
    script("/containers/json", "list: as much as may be kept", Warned("there are more"), |s| {
        api::json(&s, &format!("[{}{{}}]", "{},".repeat(160_000)))
    }),
    script("/containers/json", "list: more than there can be", Warned("there are more"), |s| {
        let each = (0..100_000).map(|n| format!(r#"{{"Id":"{n:064x}","State":"running"}}"#));
        api::json(&s, &format!("[{}]", each.collect::<Vec<_>>().join(",")))
    }),
    script("/containers/ab", "inspect: 1 GB", Warned("more than"), |s| gigabyte(&s)),
    script("/containers/ab", "inspect: wrong types", UNINSPECTED, |s| {
        api::json(&s, &format!(r#"{{"Id":"{ID}","State":{{"Pid":"x"}},"Config":[7]}}"#))
    }),
    script("/containers/ab", "inspect: one byte at a time", UNINSPECTED, |s| {
        slowly(&s, b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{\"Id\":\"")
    }),
    script("/containers/ab", "inspect: another's process", Fine, |s| {
        api::json(&s, &format!(r#"{{"Id":"{ID}","State":{{"Pid":99999999999999}}}}"#))
    }),
    script("/containers/ab", "inspect: labels without end", UNINSPECTED, |s| {
        let each = (0..150_000).map(|n| format!(r#""{n}":"""#)).collect::<Vec<_>>().join(",");
        api::json(&s, &format!(r#"{{"Id":"{ID}","Config":{{"Labels":{{{each}}}}}}}"#))
    }),
    script("/events", "events: a line without end", Warned("more than"), |s| {
        endless_event(&s, &[b'x'; 65_536])
    }),
    script("/events", "events: a line of small pieces", Warned("more than"), |s| {
        endless_event(&s, &[b'x'; 64])
    }),
    script("/events", "events: no JSON", Warned("unexpected JSON"), |s| {
        endless_chunks(&s, &[b'x'; 65_536])
    }),
    script("/events", "events: garbage", Fine, |s| {
        endless_chunks(&s, b"\x00\xff\n[]\n{\"Action\":7}\n{\"Action\":\"create\"}\n")
    }),
    script("/events", "events: containers without end", Fine, |s| {
        api::chunked(&s)?;
        let label = "x".repeat(4000);
        for number in 0_u64.. {
            let event = format!(
                "{{\"Action\":\"create\",\"Actor\":{{\"ID\":\"{number:064x}\",\
                 \"Attributes\":{{\"name\":\"x\",\"a\":\"{label}\"}}}}}}\n"
            );
            api::chunk(&s, event.as_bytes())?;
        }
        Ok(())
    }),
];

fn endless(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    let bytes = bytes.repeat(1 + 4096 / bytes.len());
    loop {
        stream.write_all(&bytes)?;
    }
}

fn endless_chunks(stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    api::chunked(stream)?;
    loop {
        api::chunk(stream, bytes)?;
    }
}

/// The beginning of an event that could be one.
fn endless_event(stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    api::chunked(stream)?;
    api::chunk(stream, br#"{"Action":""#)?;
    loop {
        api::chunk(stream, bytes)?;
    }
}

fn slowly(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_millis(20));
    }
    api::silence(stream)
}

fn gigabyte(mut stream: &UnixStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
    endless(stream, &[b' '; 65_536])
}

/// As Docker refuses a request.
fn refusal(mut stream: &UnixStream, status: &str, message: &str) -> io::Result<()> {
    let body = format!(r#"{{"message":"{message}"}}"#);
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}")
}

impl Script {
    fn server(&'static self) -> Api {
        Api::start(|path, stream| match path {
            _ if path.starts_with(self.at) => (self.answer)(stream),
            "/version" => api::json(&stream, VERSION),
            _ if path.starts_with("/containers/json") => {
                api::json(&stream, &format!(r#"[{{"Id":"{ID}","State":"running"}}]"#))
            }
            _ if path.starts_with("/events") => {
                api::chunked(&stream)?;
                api::silence(&stream)
            }
            _ => api::json(&stream, &format!(r#"{{"Id":"{ID}"}}"#)),
        })
    }

    fn play(&'static self) {
        let server = self.server();
        let mut actor = Docker::shared().launch("host").actor();
        let agent = Agent::setup().docker_host(&server.host()).start().unkept();
        match self.outcome {
            Unreachable(why) => {
                let event = agent.expect(&want().action("runtime-unreachable"));
                assert!(event.to_string().contains(why), "{}: {event}", self.name);
            }
            Warned(words) => {
                wait_for(self.name, || agent.messages().contains(words));
            }
            Fine => {
                agent.expect(&want().action("runtime-reachable"));
                let is_asked = |line: &String| line.contains(self.at);
                wait_for(self.name, || server.asked().iter().any(is_asked));
            }
        }
        if self.at == "/events" {
            // It has gone on from one list to the next.
            let lists = || server.asked().iter().filter(|line| line.contains("/json?all")).count();
            wait_for(self.name, || lists() >= 2);
        }
        let port = net::closed_port();
        actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
        let attempt = want().action("connection_attempted").is("hostnet.remote.port", port);
        let id = actor.container.id.as_str();
        agent.expect(&attempt.is("container.id", id).absent("container.name"));
        let peak = peak_mib(agent.pid());
        let run = agent.stop();
        assert!(!run.messages.contains(['\u{1b}', '\u{7}']), "{}: {}", self.name, run.messages);
        let known = |line: &String| {
            ["GET /version", "GET /v1.41/containers/json?all=true", "GET /v1.41/events?"]
                .iter()
                .any(|known| line.starts_with(known))
                || is_inspect(line)
        };
        let asked = server.asked();
        assert!(asked.iter().all(known), "{}: {asked:?}", self.name);
        tell(&format!("{}: at most {peak} MiB", self.name));
        assert!(peak <= MOST_MIB, "{}: {peak} MiB", self.name);
    }
}

fn is_inspect(line: &str) -> bool {
    let id = line.strip_prefix("GET /v1.41/containers/");
    let id = id.and_then(|rest| rest.strip_suffix("/json")).unwrap_or_default();
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn peak_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the agent runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.expect("the kernel tells the most memory") / 1024
}

#[test]
fn the_runtime_is_hostile() {
    needs_root!();
    let waiting = Mutex::new(SCRIPTS.iter().collect::<VecDeque<_>>());
    let next = || waiting.lock().expect("not poisoned").pop_front();
    thread::scope(|scope| {
        let play = || {
            while let Some(script) = next() {
                tell(&format!("{} …", script.name));
                script.play();
            }
        };
        let threads: Vec<_> = (0..at_once()).map(|_| scope.spawn(play)).collect();
        let failed = threads.into_iter().map(|thread| thread.join()).filter(Result::is_err);
        assert_eq!(failed.count(), 0, "what failed is above");
    });
}
