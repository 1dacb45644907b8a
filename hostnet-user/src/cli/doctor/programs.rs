//! The proof: the programs are loaded, attached, exercised, and detached again.

use super::Check;
use crate::{
    config::Observe,
    kernel::{self, Coverage, LoadOptions, Programs, State},
};

/// The longest reason that is shown; a refused program comes with the verifier's whole log.
const LONGEST_REASON: usize = 400;

const NAME: &str = "programs";

/// How attaching went, and what every hook said.
pub fn attached() -> (Check, Coverage) {
    let options =
        LoadOptions { ring_bytes: Observe::default().ring_bytes(), all: false, kernel_log: false };
    let programs = match kernel::load(&options) {
        Ok(programs) => programs,
        Err(error) => {
            let finding = brief(&error.to_string());
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
        State::Unproven(reason) | State::Refused(reason) => Some(brief(reason)),
    }
}

/// A reason without the verifier's log, of which only the complaint is kept.
fn brief(reason: &str) -> String {
    let text = match reason.split_once("Verifier output:") {
        Some((before, log)) => {
            let complaint = log
                .lines()
                .map(str::trim)
                .rfind(|line| !line.is_empty() && !line.starts_with("processed "))
                .unwrap_or("no log");
            format!("{} the verifier says: {complaint}", before.trim_end())
        }
        None => reason.to_owned(),
    };
    match text.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn of_the_verifiers_log_the_complaint_is_kept() {
        let reason = "cannot attach x: refused. Verifier output: 0: r1\n1: r2\nR1 is bad\nprocessed 2 insns\n";
        assert_eq!(brief(reason), "cannot attach x: refused. the verifier says: R1 is bad");
        assert_eq!(brief("not root"), "not root");
        assert_eq!(brief(&"é".repeat(500)).chars().count(), LONGEST_REASON + 1);
    }

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
