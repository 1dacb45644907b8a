//! The services of IPVS, as /proc shows them: what is sent to one goes to a server of it.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::Found;
use crate::attribute::Redirect;

/// The kernel's own threads are in the host's network namespace.
const SERVICES: &str = "/proc/2/net/ip_vs";

pub fn read(found: &mut Found) {
    // There is none where nobody has used IPVS.
    let Ok(text) = fs::read_to_string(SERVICES) else { return };
    services(&text).for_each(|service| found.add(service));
}

/// `TCP  0A000001:0050 rr`, `UDP  [2001:…]:0035 rr`, `FWM  00000001 rr`.
fn services(text: &str) -> impl Iterator<Item = Redirect> + '_ {
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let protocol = match words.next()? {
            "TCP" => Some(6),
            "UDP" => Some(17),
            "SCTP" => Some(132),
            // By a mark that a rule gives: to wherever.
            "FWM" => return Some(Redirect::default()),
            _ => return None,
        };
        let Some((ip, port)) = words.next().and_then(|end| end.rsplit_once(':')) else {
            return Some(Redirect { protocol, ..Redirect::default() });
        };
        let ip = match ip.strip_prefix('[') {
            Some(v6) => v6.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => u32::from_str_radix(ip, 16).ok().map(Ipv4Addr::from_bits).map(IpAddr::V4),
        };
        let port = u16::from_str_radix(port, 16).ok();
        let to = ip.map(|ip| (ip, if ip.is_ipv4() { 32 } else { 128 }));
        // Port 0 is every port.
        let ports = port.filter(|port| *port != 0).map(|port| (port, port));
        Some(Redirect { protocol, to, ports, ..Redirect::default() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_by_address_and_port() {
        let text = "IP Virtual Server version 1.2.1 (size=4096)\n\
                    Prot LocalAddress:Port Scheduler Flags\n\
                    \x20 -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n\
                    TCP  0A600001:01BB rr \n\
                    \x20 -> AC110002:01BB      Masq    1      0          0         \n\
                    UDP  [fd00::000a]:0035 rr\n";
        let found: Vec<Redirect> = services(text).collect();
        let to = |ip: &str, bits| Some((ip.parse().expect("an address"), bits));
        let tcp = Redirect {
            protocol: Some(6),
            to: to("10.96.0.1", 32),
            ports: Some((443, 443)),
            ..Redirect::default()
        };
        let udp = Redirect {
            protocol: Some(17),
            to: to("fd00::a", 128),
            ports: Some((53, 53)),
            ..Redirect::default()
        };
        assert_eq!(found, [tcp, udp]);
    }
}
