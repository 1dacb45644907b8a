//! A bind and whether it succeeds: two records, one event. A listen is one of its own.

use hostnet_abi::{Bind as BindRecord, BindAsked, Listen as ListenRecord, Record};

use super::{
    SocketCorrelator,
    act::{Act, Parts},
    table::PendingBind,
};
use crate::{
    attribute::{decoded::Decoded, other_end::listeners::Listener},
    event::{Bind, Listen, Outcome, PeerParty, endpoint},
};

impl SocketCorrelator {
    pub(super) fn bind_asked(&mut self, thread: u32, act: Act, record: &BindAsked) {
        let requested = endpoint(record.address, record.port as u16);
        self.table.ask_bind(thread, PendingBind { act, requested });
    }

    /// The bind that this record is the success of. One that the record's thread asked for
    /// and that has come to nothing is reported.
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else comes shows no errno")]
    pub(super) fn bind_answered(
        &mut self,
        parts: &mut Parts<'_>,
        of: &Decoded<'_>,
    ) -> Option<PendingBind> {
        let Decoded { header, record, .. } = of;
        let asked = (header.tid != 0).then(|| self.table.take_bind(header.tid)).flatten()?;
        let is_same = asked.act.socket.cookie == header.cookie;
        let errno = match record {
            Record::Bind(_) if is_same => return Some(asked),
            Record::BindRefused(refused) if is_same => u16::try_from(refused.errno).ok(),
            _ => None,
        };
        self.report_unanswered_bind(parts, asked, errno);
        None
    }

    /// No success followed. With `IP_BIND_ADDRESS_NO_PORT` none does, although
    /// the kernel agreed: the port is chosen later (`__inet_bind`, 4.2–7.3).
    pub(super) fn report_unanswered_bind(
        &self,
        parts: &mut Parts<'_>,
        PendingBind { act, requested: local }: PendingBind,
        errno: Option<u16>,
    ) {
        let outcome = match errno {
            None if local.port() == 0 && self.policy.sees_refusals => Outcome::Success,
            None if local.port() == 0 => Outcome::Unknown,
            errno => Outcome::Failure(errno),
        };
        let (requested, shares_port_with) = (Some(local), Vec::new());
        parts.report(&act, Bind { requested, local, reuse: 0, outcome, shares_port_with });
    }
}

/// A bind succeeded; `asked` is the one that was seen to be asked for.
pub fn bound(
    parts: &mut Parts<'_>,
    act: &Act,
    record: &BindRecord,
    asked: Option<PendingBind>,
    begun: Option<&Listener>,
) {
    let operation = Bind {
        requested: asked.map(|asked| asked.requested),
        local: endpoint(record.address, record.port as u16),
        reuse: record.reuse,
        outcome: Outcome::Success,
        shares_port_with: sharing_port(parts, begun),
    };
    parts.report(act, operation);
}

impl SocketCorrelator {
    pub(super) fn listened(
        &mut self,
        parts: &mut Parts<'_>,
        act: &Act,
        record: &ListenRecord,
        begun: Option<&Listener>,
    ) {
        self.table.track(&act.party, act.socket, act.at);
        let operation = Listen {
            local: endpoint(record.address, record.port),
            backlog: record.backlog,
            shares_port_with: sharing_port(parts, begun),
        };
        parts.report(act, operation);
    }
}

fn sharing_port(parts: &mut Parts<'_>, begun: Option<&Listener>) -> Vec<PeerParty> {
    begun.map(|one| parts.peers.sharing_port(parts.owners, one)).unwrap_or_default()
}
