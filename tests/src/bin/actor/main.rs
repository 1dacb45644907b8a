//! A program that uses sockets in every way hostnet has to see, and writes what
//! really happened as one JSON line per operation.
//!
//! `actor SUBCOMMAND …` performs one technique. `actor repl` reads the same
//! subcommands from standard input, one per line, and answers each with its
//! operations and a final `done`: so a test says when something happens.

mod addresses;
mod arguments;
mod binds;
mod cgroups;
mod churn;
mod compat;
mod crossed;
mod disguises;
mod families;
mod fast_open;
mod flood;
mod frozen;
mod handed;
mod held;
mod listeners;
mod messages;
mod mixed;
mod mptcp;
mod multicast;
mod namespaces;
mod netlink;
mod odd_protocols;
mod open_listeners;
mod packet;
mod place;
mod ports;
mod processes;
mod race;
mod reconnect;
mod sockets;
mod tcp;
mod transfers;
mod truth;
mod udp;
mod unix;
mod uring;
mod user_fault;

use std::{
    ffi::OsString,
    io::{self, BufRead as _},
    os::unix::ffi::OsStringExt as _,
};

use arguments::Arguments;
use open_listeners::Listeners;
use truth::{Done, tell};

/// What the subcommands of one file are called, and what does them.
type Subcommands = &'static [(&'static str, fn(&Arguments))];

/// Techniques that need nothing but their arguments, by file.
const TECHNIQUES: &[Subcommands] = &[
    addresses::SUBCOMMANDS,
    binds::SUBCOMMANDS,
    cgroups::SUBCOMMANDS,
    compat::SUBCOMMANDS,
    crossed::SUBCOMMANDS,
    disguises::SUBCOMMANDS,
    families::SUBCOMMANDS,
    fast_open::SUBCOMMANDS,
    flood::SUBCOMMANDS,
    frozen::SUBCOMMANDS,
    handed::SUBCOMMANDS,
    messages::SUBCOMMANDS,
    mptcp::SUBCOMMANDS,
    multicast::SUBCOMMANDS,
    namespaces::SUBCOMMANDS,
    netlink::SUBCOMMANDS,
    odd_protocols::SUBCOMMANDS,
    packet::SUBCOMMANDS,
    ports::SUBCOMMANDS,
    race::SUBCOMMANDS,
    reconnect::SUBCOMMANDS,
    transfers::SUBCOMMANDS,
    unix::SUBCOMMANDS,
    uring::SUBCOMMANDS,
];

fn main() {
    // An accepted peer that resets the connection must not end the program.
    // SAFETY: SIG_IGN is a valid disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == "--gate") {
        words.remove(0);
        wait_for_line();
    }
    if words.is_empty() {
        panic!("usage: actor [--gate] SUBCOMMAND ARGUMENTS");
    }
    let mut listeners = Listeners::default();
    if words[0] == "repl" {
        repl(&mut listeners);
    } else {
        perform(words, &mut listeners);
    }
}

fn repl(listeners: &mut Listeners) {
    tell("ready").send();
    for line in io::stdin().lock().split(b'\n') {
        let words: Vec<OsString> = line
            .expect("standard input is readable")
            .split(|byte| *byte == b' ')
            .map(|word| OsString::from_vec(word.to_vec()))
            .collect();
        perform(words, listeners);
        tell("done").send();
    }
}

fn perform(mut words: Vec<OsString>, listeners: &mut Listeners) -> Done {
    let subcommand = words.remove(0).into_string().expect("a subcommand is UTF-8");
    let arguments = Arguments::new(words);
    match subcommand.as_str() {
        "tcp-connect" | "short" => tcp::connect(&arguments),
        "tcp-connect-late" => tcp::connect_late(&arguments),
        "tcp-connect-abandoned" => tcp::connect_abandoned(&arguments),
        "tcp-backlog-full" => tcp::connect_to_full_backlog(&arguments),
        "tcp-serve" => tcp::serve(&arguments),
        "listen" => listeners.listen(&arguments),
        "serve" => listeners.serve(&arguments),
        "unlisten" => listeners.close(&arguments),
        "hold" => held::hold(&arguments),
        "hold-many" => held::hold_many(&arguments),
        "hold-unix" => held::hold_unix(&arguments),
        "release" => held::release(),
        "churn" => churn::churn(&arguments),
        "mixed" => mixed::mixed(&arguments),
        "udp-send" => udp::send(&arguments),
        "udp-spray" => udp::spray(&arguments),
        "udp-connect" => udp::connect(&arguments),
        "udp-send-kept" => udp::send_kept(&arguments),
        "udp-connect-kept" => udp::connect_kept(&arguments),
        "udp-serve" => udp::serve(&arguments),
        "udp-daemon" => udp::daemon(&arguments),
        "exec-chain" => processes::exec_chain(&arguments),
        "exec-as" => processes::exec_as(&arguments),
        "fork-connect" => processes::fork_connect(&arguments, listeners),
        "spawn" => processes::spawn(&arguments),
        "without-mounts" => processes::without_mounts(&arguments),
        "prctl-name" => processes::rename(&arguments),
        "wait" => wait_for_line(),
        other => {
            let mut all = TECHNIQUES.iter().copied().flatten();
            let found = all.find(|(name, _)| *name == other);
            let (_, technique) = found.unwrap_or_else(|| panic!("no such subcommand: {other}"));
            technique(&arguments);
        }
    }
    Done
}

fn wait_for_line() {
    let mut line = String::new();
    io::stdin().read_line(&mut line).expect("standard input is readable");
}
