//! docs/detections.md, from the one table of detections.

use std::fmt::Write as _;

use anyhow::Result;

use crate::{
    event::{Severity, Surface},
    judge::Detection,
};

/// docs/detections.md.
///
/// # Errors
/// Never; the others of its kind may fail.
pub fn detections() -> Result<String> {
    let mut text = String::from(
        "# Detections\n\n\
         <!-- Made by `cargo xtask docs` from the code; edit that. -->\n\n\
         What containers do in the host's network is judged as it is told. A finding is an event of its \
         own (`event.kind: alert`, data set `hostnet.finding`, action `finding`) right behind the one that \
         shows it: `rule.id` says what is wrong, `hostnet.finding.evidence` is the `event.id` of that \
         event, and owner, process, socket and peer are the same. The same act of the same container \
         is found once in `judge.repeat_hours`.\n\n\
         A finding about reaching something says what came of it. `reached`: a connection was made, or a \
         datagram sent. `tried to reach`: refused, failed, or not answered yet. `aimed a socket at`: \
         connect(2) of a UDP socket that sent nothing (low). `may have reached`: no hook on this kernel \
         shows whether a connected UDP socket sent anything, or it was before hostnet started. What is not \
         certain is one step less severe. A TCP connect without an answer after a second, and a UDP socket \
         that has sent nothing, are told as that; their outcome, when it comes, is a second finding whose \
         `hostnet.amends` is the id of the first.\n\n\
         ```toml\n\
         [judge]\n\
         enabled = true             # otherwise there are no findings\n\
         without = [\"raw-socket\"]   # detections to leave out\n\
         repeat_hours = 24          # then the same act is told again\n\
         learn_hours = 24           # what an image reaches is learned so long\n\n\
         [[expect]]                 # who may use the host's network, and what for\n\
         name = \"edge-*\"            # or image, label, compose_project\n\
         reason = \"terminates TLS for the host\"\n\
         owner = \"web team\"\n\
         until = \"2027-06-30\"\n\
         bind = [\"tcp/443\"]         # without a list: anything\n\
         reach = [\"lan\", \"host-loopback:9000\"]\n\
         ```\n\n\
         A container's labels `hostnet.expected`, `hostnet.reason`, `hostnet.until` and `hostnet.owner` say the \
         same where `[expectations] trust_labels` is true, which it is not by default: an image brings its \
         labels along, and would excuse its own containers. The host's own processes are not judged.\n\n\
         | id | what | severity | ATT&CK | excused |\n|---|---|---|---|---|\n",
    );
    for detection in Detection::all() {
        let Detection { id, title, severity, techniques, excuse, .. } = detection;
        let ids: Vec<&str> = techniques.iter().map(|one| one.id).collect();
        let (severity, ids, excuse) = (severity.name(), ids.join(", "), excuse.in_words());
        writeln!(text, "| [`{id}`](#{id}) | {title} | {severity} | {ids} | {excuse} |")?;
    }
    text.push_str("\nSeverities are ");
    for (index, severity) in Severity::ALL.iter().enumerate() {
        let before = if index == 0 { "" } else { ", " };
        write!(text, "{before}{} ({})", severity.name(), severity.number())?;
    }
    text.push_str(
        "; the number is `event.severity`. A detection's own may be raised or lowered by what is found.\n\n\
         What judging costs, beside writing the event: `cargo run --release -p hostnet-user --example \
         judge_cost`.\n\n\
         ## Surfaces\n\nEvery target has one, `hostnet.surface.target`: ",
    );
    let names: Vec<String> = Surface::ALL.iter().map(|one| format!("`{one}`")).collect();
    writeln!(text, "{}.", names.join(", "))?;
    for detection in Detection::all() {
        let Detection { id, title, text: says, techniques, needs, .. } = detection;
        write!(
            text,
            "\n## {id}\n\n**{title}.** {says}\n\nSeen by: {}. Looks like: ",
            needs.join(", ")
        )?;
        let names = techniques.iter().map(|one| format!("{} {}", one.id, one.name));
        let names: Vec<String> = names.collect();
        writeln!(text, "{}.", names.join("; "))?;
    }
    Ok(text)
}
