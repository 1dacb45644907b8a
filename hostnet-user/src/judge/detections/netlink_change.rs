//! A container asks the kernel to change the host's network.

use super::{Criterion, Detection, Excuse, Memory, Scene, SigmaRule, Suspicion, techniques};
use crate::event::{Operation, Severity, family};

pub const DETECTION: Detection = Detection {
    id: "netlink-change",
    title: "Change of the host's network configuration",
    severity: Severity::High,
    techniques: &[techniques::DISABLE_FIREWALL, techniques::ADVERSARY_IN_THE_MIDDLE],
    needs: &["families"],
    text: "With host networking and NET_ADMIN a container changes the host's addresses, routes and \
           firewall. Network plugins and VPNs need that; drop NET_ADMIN from all others.",
    excuse: Excuse::ReachListed,
    sigma: &[SigmaRule {
        name: "netlink_change",
        id: "c9ce5ddc-2a52-483e-96df-d21e9d1f5c01",
        title: "Change of the host network configuration",
        description: "A container asked the kernel for a change by netlink: of addresses, \
                      routes, links or firewall rules. With host networking they are those of \
                      the host.",
        detection: Some(
            "
    change:
        hostnet.operation: netlink-request
    failed:
        event.outcome: failure
    host:
        hostnet.owner.kind: host
    condition: change and not failed and not host",
        ),
        falsepositives: &["Network plugins, VPNs, and managers of firewalls in containers"],
        #[cfg(test)]
        cases: tests::CASES,
        ..SigmaRule::BASE
    }],
    criterion: Criterion::Act(judge),
    ..Detection::BASE
};

fn judge(scene: &Scene<'_>, _: &mut Memory) -> Option<Suspicion> {
    let Operation::NetlinkRequest(request) = &scene.event.operation else { return None };
    let protocol = family::protocol(libc::AF_NETLINK as u16, request.protocol).unwrap_or("unknown");
    // A firewall's rules come in many messages; they are one act.
    let subject = match request.name() {
        Some(name) => format!("netlink {protocol} {name}"),
        None => format!("netlink {protocol}"),
    };
    Some(Suspicion::new(subject, scene.event.operation.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, HOST, family_socket, judged, netlink_request};
    use super::DETECTION;

    // The recording has no netlink request: it is made of a packet socket's event.
    pub const CASES: &[Case] = &[Case {
        of: &[("/hostnet/operation", "packet-bind")],
        set: &[("/hostnet/operation", "\"netlink-request\"")],
        but: &[HOST, ("/event/outcome", "\"failure\""), ("/hostnet/operation", "\"netlink-bind\"")],
    }];

    #[test]
    fn fires() {
        let route = netlink_request(libc::NETLINK_ROUTE, libc::RTM_NEWROUTE);
        assert_eq!(judged(&DETECTION, &route).unwrap().subject, "netlink route RTM_NEWROUTE");
        let firewall = netlink_request(libc::NETLINK_NETFILTER, 0x0a00);
        assert_eq!(judged(&DETECTION, &firewall).unwrap().subject, "netlink netfilter");
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(judged(&DETECTION, &family_socket(libc::AF_NETLINK)), None);
    }
}
