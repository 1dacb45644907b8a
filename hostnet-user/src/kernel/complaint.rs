//! What is worth repeating of a refusal: aya's errors carry the verifier's whole
//! log, thousands of lines for a large program.

/// The longest reason that is shown; a refused program comes with the verifier's whole log.
const LONGEST_REASON: usize = 400;

/// How the lines begin that end the verifier's log.
const STATISTICS: [&str; 3] = ["verification time ", "stack depth ", "processed "];

/// A reason without the verifier's log, of which only the complaint is kept.
#[must_use]
pub fn brief(reason: &str) -> String {
    let text = match reason.split_once("Verifier output:") {
        Some((before, log)) => {
            // Behind the log its statistics follow, and the rest of the chain of errors.
            let complaint = log
                .lines()
                .map(str::trim)
                .take_while(|line| !STATISTICS.iter().any(|start| line.starts_with(start)))
                .filter(|line| !line.is_empty() && !line.starts_with(':'))
                .last();
            let before = before.trim_end_matches([' ', '.']);
            complaint.map_or_else(|| before.to_owned(), |line| format!("{before}: {line}"))
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
    use super::*;

    #[test]
    fn of_the_verifiers_log_the_complaint_is_kept() {
        let refused = "cannot attach x: EACCES. Verifier output: ";
        let log = "0: r1\nR1 is bad\nstack depth 8\nprocessed 2 insns\n: EACCES";
        assert_eq!(brief(&format!("{refused}{log}")), "cannot attach x: EACCES: R1 is bad");
        assert_eq!(brief(&format!("{refused}: EACCES")), "cannot attach x: EACCES");
        assert_eq!(brief("not root"), "not root");
        assert_eq!(brief(&"é".repeat(500)).chars().count(), LONGEST_REASON + 1);
    }
}
