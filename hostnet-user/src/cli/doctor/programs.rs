//! The proof: the programs are loaded, attached, exercised, and detached again.

use super::Check;
use crate::{
    config::Observe,
    kernel::{self, Coverage, LoadOptions, Programs, State},
};

const NAME: &str = "programs";

/// How attaching went, and what every hook said.
pub fn attached() -> (Check, Coverage) {
    let options =
        LoadOptions { ring_bytes: Observe::default().ring_bytes(), all: false, kernel_log: false };
    let programs = match kernel::load(&options) {
        Ok(programs) => programs,
        Err(error) => {
            let finding = error.to_string();
            // Without the reasons of single hooks the message above says all there is.
            let coverage = kernel::attach_each(&options).unwrap_or_default();
            let advice = "see the failures above, or the refused hooks below";
            return (Check::fail(NAME, finding, advice), coverage);
        }
    };
    let Programs { mut ring, root, mut coverage, .. } = programs;
    if let Err(error) = kernel::prove(&mut ring, &root, &mut coverage) {
        let advice = "report this with the kernel's release";
        return (Check::fail(NAME, format!("attached, but: {error:#}"), advice), coverage);
    }
    (judge(&coverage), coverage)
}

fn judge(coverage: &Coverage) -> Check {
    let (rows, unproven) = (coverage.rows().len(), coverage.unproven().count());
    if unproven == 0 {
        return Check::ok(NAME, format!("all {rows} hooks attached, proven and detached again"));
    }
    Check::warn(
        NAME,
        format!("{unproven} of {rows} hooks attached but not proven"),
        "see the reasons below; an operation whose hook is not proven may go unseen",
    )
}

/// Why a hook is not proven, if it is not.
pub fn reason(state: &State) -> Option<String> {
    match state {
        State::Proven => None,
        State::Unproven(reason) | State::Refused(reason) => Some(reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn an_unproven_hook_is_a_warning() {
        use hostnet_abi::Hook;
        let mut coverage = Coverage::default();
        coverage.set(Hook::Bind4, State::Proven);
        assert_eq!(judge(&coverage).status, Status::Ok);
        coverage.set(Hook::Bind6, State::Unproven("no IPv6".to_owned()));
        let check = judge(&coverage);
        assert_eq!(check.status, Status::Warn);
        assert_eq!(check.finding, "1 of 2 hooks attached but not proven");
    }
}
