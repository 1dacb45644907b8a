//! Cgroups come and go, and containers with them. A name that is a container's
//! elsewhere is reported.

use hostnet_abi::Header;

use super::{OwnerResolver, Reported, strays::CgroupId};
use crate::{
    attribute::{
        cgroups::claims::{is_service, named_container, own_part},
        party::Party,
        request::Request,
    },
    event::{Cgroup, Left, NameSpoof, Operation, OwnerKind},
    text,
};

impl OwnerResolver {
    /// A cgroup was made.
    pub(in crate::attribute) fn cgroup_made(
        &mut self,
        header: &Header,
        id: u64,
        tail: &[u8],
    ) -> Reported {
        let path = tail.strip_suffix(&[0]).unwrap_or(tail);
        self.enter_cgroup(id, text::text(path).readable, Some(header))
    }

    /// A cgroup is there; `made` is the record of its making.
    pub(in crate::attribute) fn enter_cgroup(
        &mut self,
        id: u64,
        path: String,
        made: Option<&Header>,
    ) -> Reported {
        match named_container(&path) {
            Some(claim) => {
                self.registry.containers.starts(&claim.qualified_id());
                self.requests.push(Request::Inspect(claim.id.to_owned()));
                // What a container's process has made, the programs know of already.
                let own = own_part(&path, claim.id).filter(|own| *own != path);
                let payer = own.and_then(|own| self.tree.id(own));
                self.requests.push(Request::Budget { cgroup: id, payer });
            }
            None if self.policy.v1_only && path == "/" => {}
            None => {
                let is_service = is_service(&path);
                self.requests.push(Request::Quieten { cgroup: id, is_service });
            }
        }
        self.registry.appeared(id, &path);
        self.tree.insert(id, path);
        self.spoof(id, made)
    }

    /// A cgroup was removed, and with it a container has left when it had joined the
    /// host's network namespace.
    pub(in crate::attribute) fn cgroup_removed(&mut self, header: &Header, id: u64) -> Reported {
        self.tree.remove(id);
        self.requests.push(Request::Forget(id));
        let owner = self.owner(id);
        if let Some(path) = self.tree.bury(id, header.boot_ns, &owner) {
            self.forget_cgroup(id, &path);
        }
        let container = owner.container_id.as_ref()?;
        // A child cgroup going away is not the container going away.
        let parent = owner.cgroup_path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let has_left =
            named_container(parent).is_none() && self.registry.containers.left(container);
        has_left.then(|| (Party::of(owner), Left.into()))
    }

    /// A cgroup is in the tree no more.
    pub(super) fn forget_cgroup(&mut self, id: u64, path: &str) {
        self.registry.forget_cgroup(id, path);
        self.strays.forget_place(CgroupId(id));
    }

    /// A cgroup's name is that of a container which is elsewhere: reported once, of
    /// whoever made it, when that is known.
    fn spoof(&mut self, id: u64, made: Option<&Header>) -> Reported {
        let claimed = self.registry.spoofed(id, &self.tree)?;
        if !self.registry.tells_spoof(id) {
            return None;
        }
        let path = self.tree.path(id).unwrap_or_default().to_owned();
        let party = match made {
            Some(header) => Party { creator: None, ..self.party(header) },
            None => Party::of(self.owner(id)),
        };
        // The host's own may name cgroups as they like.
        if made.is_some() && party.owner.kind == OwnerKind::Host {
            return None;
        }
        let victim = self.registry.owner_of_container(&claimed, &self.tree);
        Some((party, NameSpoof { cgroup: Cgroup { id, path }, claimed, victim }.into()))
    }

    /// Cgroups named after a container that the runtime has just shown elsewhere.
    pub(super) fn spoofs_of(&mut self, container: &str) -> Vec<(Party, Operation)> {
        let claimants = self.registry.claimants(container);
        claimants.into_iter().filter_map(|id| self.spoof(id, None)).collect()
    }
}
