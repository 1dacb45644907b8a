//! A crowd of containers beside an API that tells of them, and what is true of
//! each: its id, its name, the port that only it connects to.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    net::Ipv4Addr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
};

use crate::{
    api::{self, Api, VERSION},
    glance::Glance,
    paths::program,
};

/// The first of the ports that tell a container.
const FIRST_PORT: u16 = 20_000;

/// Full id of the container at `index`.
pub fn container_id(index: u32) -> String {
    format!("{index:08x}").repeat(8)
}

/// Its name.
pub fn name(index: u32) -> String {
    format!("crowd-{index}")
}

/// The address its own sockets are at.
pub fn address(index: u32) -> Ipv4Addr {
    let [.., high, low] = (index + 1).to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}

/// The port that only it connects to.
pub fn port(index: u32) -> u16 {
    FIRST_PORT + u16::try_from(index).expect("no more containers than ports")
}

/// Containers that run; gone when dropped.
pub struct Crowd {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    api: Api,
}

/// What an event says of its owner, held against the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The very container, by id and name, confirmed.
    Named,
    /// The very container, by its id alone.
    Nameless,
    /// Nobody, and it says so.
    Unknown,
    /// Somebody else.
    Wrong,
}

impl Crowd {
    /// Starts `count` containers with `sockets` sockets each.
    pub fn start(count: u32, sockets: u32) -> Self {
        let mut child = Command::new(program("crowd"))
            .args([count.to_string(), sockets.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("crowd can be started");
        let orders = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut members = Vec::new();
        loop {
            let mut line = String::new();
            answers.read_line(&mut line).expect("text");
            let Some((id, pid)) = line.trim().split_once(' ') else {
                assert_eq!(line.trim(), "done", "crowd ended");
                break;
            };
            members.push((id.to_owned(), pid.parse::<u32>().expect("a process id")));
        }
        assert_eq!(members.len(), count as usize);
        Self { child, orders, answers, api: serve(members) }
    }

    /// The address of the API, as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        self.api.host()
    }

    /// Has `count` containers from `first` on connect, each `times` times, and
    /// returns when they have.
    pub fn act(&mut self, first: u32, count: u32, times: u32) {
        let orders = self.orders.as_mut().expect("open until dropped");
        writeln!(orders, "act {first} {count} {times}").expect("crowd runs");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("crowd runs");
        assert_eq!(answer.trim(), "done");
    }
}

/// Which container an event is of in truth: its port or its address tells.
pub fn truth(told: &Glance<'_>) -> Option<u32> {
    match told.event.action {
        "existing_socket" => {
            let local: Ipv4Addr = told.hostnet.local.ip.parse().ok()?;
            let [127, 77, high, low] = local.octets() else { return None };
            u32::from_be_bytes([0, 0, high, low]).checked_sub(1)
        }
        "connection_attempted" => told.hostnet.remote.port?.checked_sub(FIRST_PORT.into()),
        _ => None,
    }
}

/// Holds what is told of the container at `index` against the truth.
pub fn verdict(told: &Glance<'_>, index: u32) -> Verdict {
    let Glance { container, hostnet, .. } = told;
    match (container.id, container.name.as_deref()) {
        (None, None) if hostnet.owner.kind == "unknown" => Verdict::Unknown,
        (Some(id), None) if id == container_id(index) => Verdict::Nameless,
        (Some(id), Some(told)) if id == container_id(index) && told == name(index) => {
            match hostnet.attribution.confidence {
                "confirmed" => Verdict::Named,
                _ => Verdict::Nameless,
            }
        }
        _ => Verdict::Wrong,
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // It takes everything away when nobody gives it orders any more.
        self.orders = None;
        let _ = self.child.wait();
    }
}

/// As much as Docker says of a container of some twenty variables and labels.
fn serve(members: Vec<(String, u32)>) -> Api {
    let mut list = String::from("[");
    for (index, (id, _)) in (0..).zip(&members) {
        let (name, separator) = (name(index), if index == 0 { "" } else { "," });
        let _ = write!(
            list,
            r#"{separator}{{"Id":"{id}","Names":["/{name}"],"Image":"crowd:1","ImageID":"sha256:{id}",
            "Command":"/bin/server --port 8080","Created":1750000000,"Ports":[],
            "Labels":{{{labels}}},"State":"running","Status":"Up 2 hours",
            "HostConfig":{{"NetworkMode":"host"}},"NetworkSettings":{{"Networks":{{"host":{{
            "IPAMConfig":null,"Links":null,"Aliases":null,"NetworkID":"{id}","EndpointID":"{id}",
            "Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","MacAddress":""}}}}}},
            "Mounts":[]}}"#,
            labels = labels(index)
        );
    }
    list.push(']');
    let members: HashMap<String, (u32, u32)> =
        (0..).zip(members).map(|(index, (id, pid))| (id, (index, pid))).collect();
    let (list, members) = (Arc::new(list), Arc::new(members));
    Api::start(move |path, stream| match path {
        "/version" => api::json(&stream, VERSION),
        _ if path.starts_with("/containers/json") => api::json(&stream, &list),
        _ if path.starts_with("/events") => {
            api::chunked(&stream)?;
            api::silence(&stream)
        }
        _ => {
            let id = path.trim_start_matches("/containers/").trim_end_matches("/json");
            match members.get(id) {
                Some((index, pid)) => api::json(&stream, &inspect(id, *index, *pid)),
                None => api::missing(&stream),
            }
        }
    })
}

fn labels(index: u32) -> String {
    let others = (0..8).map(|n| format!(r#""org.example.label-{n}":"a value of some length""#));
    let compose =
        format!(r#""com.docker.compose.project":"crowd","com.docker.compose.service":"s{index}""#);
    others.chain([compose]).collect::<Vec<_>>().join(",")
}

fn inspect(id: &str, index: u32, pid: u32) -> String {
    let variables =
        (0..20).map(|n| format!(r#""VARIABLE_{n}=a value of some length, and secret""#));
    let variables = variables.collect::<Vec<_>>().join(",");
    let (name, labels) = (name(index), labels(index));
    format!(
        r#"{{"Id":"{id}","Created":"2026-01-02T03:04:05.6Z","Name":"/{name}","Image":"sha256:{id}",
        "State":{{"Status":"running","Running":true,"Pid":{pid}}},
        "HostConfig":{{"NetworkMode":"host","Privileged":false,"CapAdd":["NET_ADMIN"],
        "CapDrop":null,"RestartPolicy":{{"Name":"always","MaximumRetryCount":0}}}},
        "Config":{{"Image":"crowd:1","User":"","Env":[{variables}],"Labels":{{{labels}}}}}}}"#
    )
}
