//! What `ss` says of the host's sockets: a second witness, which knows nothing
//! of hostnet and asks the kernel by another way (sock_diag).

use std::{collections::HashMap, net::IpAddr, process::Command};

/// A socket as `ss` shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    /// `None` where `ss` writes `*`: every address of both families.
    pub ip: Option<IpAddr>,
    pub port: u16,
    /// Path of the cgroup it was made in.
    pub cgroup: Option<String>,
}

/// Every IP socket that exists now, by cookie.
pub(crate) fn sockets() -> HashMap<u64, Seen> {
    let output = Command::new("ss")
        .args(["-H", "-n", "-a", "-t", "-u", "-w", "-e", "--cgroup"])
        .output()
        .expect("ss can be started; apt-get install iproute2");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(parse).collect()
}

/// `tcp LISTEN 0 128 127.0.0.1%lo:80 0.0.0.0:* ino:5 sk:1f cgroup:/x <->`
fn parse(line: &str) -> Option<(u64, Seen)> {
    let mut words = line.split_ascii_whitespace();
    let (ip, port) = words.nth(4)?.rsplit_once(':')?;
    let ip = ip.split('%').next()?.trim_matches(['[', ']']);
    let mut cookie = None;
    let mut cgroup = None;
    for word in words {
        match word.split_once(':') {
            Some(("sk", text)) => cookie = u64::from_str_radix(text, 16).ok(),
            Some(("cgroup", path)) if cgroup.is_none() => cgroup = Some(path.to_owned()),
            _ => {}
        }
    }
    let ip = if ip == "*" { None } else { Some(ip.parse::<IpAddr>().ok()?.to_canonical()) };
    Some((cookie?, Seen { ip, port: port.parse().ok()?, cgroup }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_of_ss() {
        let line =
            "tcp LISTEN 0 8 [fe80::1]%eth0:80 [::]:* ino:1 sk:7e3 cgroup:/docker/a <-> v6only:1";
        let (cookie, seen) = parse(line).expect("a socket");
        assert_eq!((cookie, seen.port, seen.ip), (0x7e3, 80, "fe80::1".parse().ok()));
        assert_eq!(seen.cgroup.as_deref(), Some("/docker/a"));
        let (_, any) = parse("udp UNCONN 0 0 *:68 *:* ino:2 sk:a cgroup:/ <->").expect("a socket");
        assert_eq!((any.ip, any.port), (None, 68));
        assert_eq!(parse("u_str ESTAB 0 0 * 1 * 2"), None);
    }
}
