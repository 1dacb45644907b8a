//! Cgroups come and go, and containers with them. A name that is a container's
//! elsewhere is told.

use std::sync::Arc;

use hostnet_abi::{Header, Hook};

use crate::{
    attribute::{
        Attribution, Request,
        cgroups::claims::{is_service, named_container, own_part},
    },
    event::{Cgroup, Event, Left, NameSpoof, OwnerKind},
    text,
};

impl Attribution {
    pub(in crate::attribute) fn cgroup_made(
        &mut self,
        header: &Header,
        hook: Hook,
        id: u64,
        tail: &[u8],
    ) {
        let path = tail.strip_suffix(&[0]).unwrap_or(tail);
        self.enter_cgroup(id, text::text(path).readable, Some((header, hook)));
    }

    /// A cgroup is there; `made` is the record of its making.
    pub(in crate::attribute) fn enter_cgroup(
        &mut self,
        id: u64,
        path: String,
        made: Option<(&Header, Hook)>,
    ) {
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
        self.check_name(id, made, made.map_or(0, |(header, _)| header.boot_ns));
    }

    pub(in crate::attribute) fn cgroup_removed(&mut self, header: &Header, hook: Hook, id: u64) {
        self.tree.remove(id);
        self.requests.push(Request::Forget(id));
        let owner = self.registry.owner(id, &self.tree);
        if let Some(path) = self.tree.bury(id, header.boot_ns, &owner) {
            self.forget_cgroup(id, &path);
        }
        let Some(container) = &owner.container_id else { return };
        // A child cgroup going away is not the container going away.
        let parent = owner.cgroup_path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if named_container(parent).is_none() && self.registry.containers.left(container) {
            let event = self.event(header.boot_ns, Some(hook), Left.into());
            self.push(Event { owner: Some(Arc::clone(&owner)), ..event });
        }
    }

    /// A cgroup is in the tree no more.
    pub(in crate::attribute) fn forget_cgroup(&mut self, id: u64, path: &str) {
        self.registry.forget_cgroup(id, path);
        self.strays.forget_place(id);
    }

    /// A cgroup's name is that of a container which is elsewhere: told once, of
    /// whoever made it, when that is known.
    fn check_name(&mut self, id: u64, made: Option<(&Header, Hook)>, boot_ns: u64) {
        let Some(claimed) = self.registry.spoofed(id, &self.tree) else { return };
        if !self.registry.tells_spoof(id) {
            return;
        }
        let path = self.tree.path(id).unwrap_or_default().to_owned();
        let party = made.map(|(header, _)| self.party(header));
        // The host's own may name cgroups as they like.
        if party.as_ref().is_some_and(|party| party.owner.kind == OwnerKind::Host) {
            return;
        }
        let owner = match &party {
            Some(party) => Arc::clone(&party.owner),
            None => self.registry.owner(id, &self.tree),
        };
        let victim = self.registry.owner_of_container(&claimed, &self.tree);
        let operation = NameSpoof { cgroup: Cgroup { id, path }, claimed, victim };
        let event = self.event(boot_ns, made.map(|(_, hook)| hook), operation.into());
        let (process, actor) = party.map_or((None, None), |party| (party.process, party.actor));
        self.push(Event { owner: Some(owner), process, actor, ..event });
    }

    /// Cgroups named after a container that the runtime has just shown elsewhere.
    pub(in crate::attribute) fn check_names_of(&mut self, container: &str, boot_ns: u64) {
        for id in self.registry.claimants(container) {
            self.check_name(id, None, boot_ns);
        }
    }
}
