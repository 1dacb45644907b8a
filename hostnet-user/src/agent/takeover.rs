//! What is to be told, and known, of programs that ran before this agent.

use crate::{
    engine::input::World,
    event::{Health, Lost, endpoint},
    kernel::{Adopted, Programs},
};

/// That they ran, until now, and what of it nobody will read.
pub fn inputs(adopted: Adopted, now_ns: u64) -> Vec<World> {
    let Adopted { since_ns: from_ns, unread } = adopted;
    let health = Health::Adopted { from_ns, to_ns: now_ns, unread };
    let mut inputs = vec![World::Health { boot_ns: now_ns, health }];
    if let Some(count @ 1..) = unread {
        let by = vec![Lost { cgroup: None, operation: "record".to_owned(), count, new: 0 }];
        inputs.push(World::Lost { place: "restart".to_owned(), from_ns, to_ns: now_ns, by });
    }
    inputs
}

/// The UDP flows that these very programs have counted for the agent before.
pub fn flows(programs: &Programs) -> Option<World> {
    programs.adopted.filter(|adopted| adopted.unread.is_none())?;
    let flows = programs.maps.flows().into_iter();
    let peers = flows.map(|key| (key.cookie, endpoint(key.remote, key.remote_port as u16)));
    Some(World::OlderFlows { flows: peers.collect() })
}
