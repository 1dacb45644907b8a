//! The proof: the programs are loaded, attached, exercised, and detached again.

use hostnet_abi::{Hook, Set};

use super::Check;
use crate::{
    config::Observe,
    kernel::{self, Coverage, Programs, State},
    sources::sock_diag,
};

const NAME: &str = "programs";

/// How attaching went, and what every hook said.
pub fn attached() -> (Check, Coverage) {
    let options = Observe::default().load_options();
    let mut programs = match kernel::load(&options) {
        Ok(programs) => programs,
        Err(error) => {
            let finding = error.to_string();
            // Without the reasons of single hooks the message above says all there is.
            let coverage = kernel::attach_each(&options).unwrap_or_default();
            let advice = "see the failures above, or the refused hooks below";
            return (Check::fail(NAME, finding, advice), coverage);
        }
    };
    let Programs { rings, root, coverage, .. } = &mut programs;
    if let Err(error) = kernel::prove(rings, root, coverage) {
        let advice = "report this with the kernel's release";
        return (Check::fail(NAME, format!("attached, but: {error:#}"), advice), programs.coverage);
    }
    let check = judge(coverage);
    let _existing = sock_diag::of_host(&mut programs);
    (check, programs.coverage)
}

fn judge(coverage: &Coverage) -> Check {
    let (rows, unproven) = (coverage.rows().len(), coverage.unproven().count());
    if unproven == 0 {
        return Check::ok(
            NAME,
            format!("all {rows} hooks were attached, proven and detached again"),
        );
    }
    let attached: Vec<Hook> = coverage.attached().collect();
    if coverage.unproven().all(|hook| hook.set() == Set::Families)
        && attached.iter().any(|hook| hook.set() == Set::FirstUse)
    {
        let finding = format!(
            "all {} hooks that this kernel allows were attached, proven and detached again; it \
             refuses the set families (fexit programs)",
            attached.len()
        );
        let advice = "nothing is broken: unix, packet and netlink sockets are seen at their first \
                      send or receive instead of when they are opened; the errno of a refused bind \
                      and the process that accepts are not seen";
        return Check::warn(NAME, finding, advice);
    }
    Check::warn(
        NAME,
        format!("{unproven} of {rows} hooks not proven"),
        "see the reasons below; operations of hooks that are not proven may not be seen",
    )
}

/// Why a hook is not proven, if it is not.
pub fn reason(state: &State) -> Option<String> {
    match state {
        State::Proven => None,
        State::Unproven(reason) | State::Refused(reason) | State::Disabled(reason) => {
            Some(reason.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn an_unproven_hook_is_a_warning() {
        let mut coverage = Coverage::default();
        coverage.set(Hook::Bind4, State::Proven);
        assert_eq!(judge(&coverage).status, Status::Ok);
        coverage.set(Hook::Bind6, State::Unproven("no IPv6".to_owned()));
        let check = judge(&coverage);
        assert_eq!(check.status, Status::Warn);
        assert_eq!(check.finding, "1 of 2 hooks not proven");
    }
}
