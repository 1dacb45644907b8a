//! Another machine: a network namespace at the other end of a wire.

use std::{
    fs::File,
    net::Ipv4Addr,
    os::fd::AsFd as _,
    process::{Child, Command},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::wait_for;

/// A machine of its own: a network namespace at the other end of a wire.
pub struct Machine {
    process: Child,
    wire: String,
    /// The host's address on the wire.
    pub host: Ipv4Addr,
}

impl Machine {
    /// A machine that is wired to this host, whose address is the wire's only neighbour.
    pub fn start() -> Self {
        let own = std::process::id();
        let (wire, far) = (format!("hnw{own}"), format!("hnf{own}"));
        let process = Command::new("unshare")
            .args(["--net", "sleep", "1000"])
            .spawn()
            .expect("unshare can be started");
        let host = Ipv4Addr::new(10, 214, (own % 251) as u8, 1);
        let pid = process.id().to_string();
        let namespace = format!("/proc/{pid}/ns/net");
        let ours = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
        wait_for("a network namespace", || {
            std::fs::read_link(&namespace).is_ok_and(|link| link != ours)
        });
        ip(&["link", "add", &wire, "type", "veth", "peer", "name", &far, "netns", &pid]);
        ip(&["address", "add", &format!("{host}/24"), "dev", &wire]);
        ip(&["link", "set", &wire, "up"]);
        let machine = Self { process, wire, host };
        let address = format!("10.214.{}.2/24", own % 251);
        machine.run(&["ip", "address", "add", &address, "dev", &far]);
        machine.run(&["ip", "link", "set", &far, "up"]);
        machine
    }

    /// Runs a command there.
    fn run(&self, words: &[&str]) {
        let pid = self.process.id().to_string();
        let status = Command::new("nsenter").args(["-t", &pid, "-n"]).args(words).status();
        let status = status.expect("nsenter can be started");
        assert!(status.success(), "{words:?}: {status}");
    }

    /// Does something there.
    pub fn does<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/proc/{}/ns/net", self.process.id()));
        let namespace = namespace.expect("a namespace");
        let enter = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).expect("root may enter it");
            act()
        };
        thread::scope(|scope| scope.spawn(enter).join().expect("a thread of its own"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "delete", &self.wire]).status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ip(words: &[&str]) {
    let status = Command::new("ip").args(words).status().expect("ip can be started");
    assert!(status.success(), "ip {words:?}: {status}");
}
