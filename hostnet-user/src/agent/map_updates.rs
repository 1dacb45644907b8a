//! What the attribution asks to be done in the kernel's maps, done.

use anyhow::Result;

use crate::{attribute::Request, kernel::Maps};

/// Does it, when it is about maps; else gives it back.
///
/// # Errors
/// When the map has no room or cannot be written.
pub fn serve(request: Request, maps: &mut Maps) -> Result<Option<Request>> {
    match request {
        Request::Quieten { cgroup, is_service } => maps.quieten(cgroup, is_service)?,
        Request::Budget { cgroup, payer } => maps.budget(cgroup, payer)?,
        Request::Mix(cgroup) => maps.mix(cgroup)?,
        Request::Follow { pid, home, now } => maps.follow(pid, home, now)?,
        Request::Forget(cgroup) => maps.forget_cgroup(cgroup),
        Request::ForgetFlows(flows) => flows.into_iter().for_each(|flow| maps.forget_flow(flow)),
        other => return Ok(Some(other)),
    }
    Ok(None)
}
