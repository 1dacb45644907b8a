//! The rules, one small function each.

use super::{
    File, Finding, Rule, actions, imports,
    search::{findings, is_test, line_at, rust},
    shown_by,
};
use crate::shell;

pub const RULES: &[Rule] = &[
    Rule { name: "aya-in-kernel", check: aya_in_kernel },
    Rule { name: "bollard-in-docker", check: bollard_in_docker },
    Rule { name: "clients-in-sink", check: clients_in_sink },
    Rule { name: "sigma-in-judge", check: sigma_in_judge },
    Rule { name: "one-json-writer", check: one_json_writer },
    Rule { name: "one-lifetime", check: one_lifetime },
    Rule { name: "pure-stages", check: pure_stages },
    Rule { name: "file-length", check: file_length },
    Rule { name: "local-path", check: local_path },
    Rule { name: "registry-host", check: registry_host },
    Rule { name: "mod-rs", check: mod_rs },
    Rule { name: "allow-reason", check: allow_reason },
    Rule { name: "changelog", check: changelog },
    Rule { name: "skip-word", check: skip_word },
    Rule { name: "readme-length", check: readme_length },
    Rule { name: "imports", check: imports::check },
    Rule { name: "one-action-table", check: actions::check },
    Rule { name: "shown-by", check: shown_by::check },
];

const MAX_LINES: usize = 400;

/// Other people's files, kept as they are; their samples are not of this machine.
const FOREIGN: &[&str] = &["tests/data/ecs_flat-"];

/// The loader is replaceable as long as one folder knows it. The benchmark's floor
/// is the exception: it measures what hooks cost without hostnet.
fn aya_in_kernel(files: &[File]) -> Vec<Finding> {
    let may = |path: &str| {
        path.starts_with("hostnet-user/src/kernel/") || path.starts_with("xtask/floor/")
    };
    crate_uses(files, &["aya", "aya_log"], may, "only hostnet-user/src/kernel may name it")
}

/// So that another way to ask a runtime means one other module.
fn bollard_in_docker(files: &[File]) -> Vec<Finding> {
    let may = |path: &str| {
        let inside = path.strip_prefix("hostnet-user/src/sources/docker");
        inside.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    crate_uses(files, &["bollard"], may, "only hostnet-user/src/sources/docker may name it")
}

/// Nothing else of the agent opens a connection to another machine.
fn clients_in_sink(files: &[File]) -> Vec<Finding> {
    let may = |path: &str| path.starts_with("hostnet-user/src/sink/");
    let clients = ["async_nats", "opentelemetry_proto", "reqwest", "rskafka"];
    crate_uses(files, &clients, may, "only hostnet-user/src/sink may name it")
}

/// So that the language of rules is one folder's business.
fn sigma_in_judge(files: &[File]) -> Vec<Finding> {
    let may = |path: &str| path.starts_with("hostnet-user/src/judge/sigma/");
    let crates = ["serde_norway", "sigma_rust"];
    crate_uses(files, &crates, may, "only hostnet-user/src/judge/sigma may name it")
}

/// So that no text, of whoever, drives a terminal that JSON or CSV is shown on.
fn one_json_writer(files: &[File]) -> Vec<Finding> {
    const JSON: &str = "hostnet-user/src/text/json.rs";
    const CSV: &str = "hostnet-user/src/cli/query/output.rs";
    const WRITERS: [&str; 5] = [
        "serde_json::to_string",
        "serde_json::to_vec",
        "serde_json::to_writer",
        "serde_json::Serializer",
        "serde_json::ser::Serializer",
    ];
    let writes = |line: &str| WRITERS.iter().any(|writer| names_part(line, writer));
    let in_agent = |file: &&File| {
        file.path.starts_with("hostnet-user/src/") && file.path != JSON && !is_test(&file.path)
    };
    let json = rust(files).filter(in_agent).flat_map(|file| {
        let message = format!("only {JSON} writes JSON: it escapes what drives a terminal");
        let written = findings(file, writes);
        written.map(move |finding| Finding { message: message.clone(), ..finding })
    });
    let may = |path: &str| path == CSV || !path.starts_with("hostnet-user/src/");
    let csv = crate_uses(files, &["csv"], may, "only the answers of query are CSV");
    json.chain(csv).collect()
}

/// One function decides for how long a socket is held, so that two answers never differ.
fn one_lifetime(files: &[File]) -> Vec<Finding> {
    const ONE: &str = "hostnet-user/src/query/holdings.rs";
    let decides =
        |line: &str| line.split("//").next().is_some_and(|code| names_part(code, "Ended::"));
    let others =
        rust(files).filter(|file| file.path.starts_with("hostnet-user/src/") && file.path != ONE);
    let found = others.flat_map(|file| findings(file, decides));
    found
        .map(|finding| Finding {
            message: format!("only {ONE} decides how long a socket is held; ask a Holding"),
            ..finding
        })
        .collect()
}

/// What a replay runs again must not look at the world by itself: everything it knows
/// comes in as an input.
fn pure_stages(files: &[File]) -> Vec<Finding> {
    const PURE: &[&str] = &[
        "attribute/",
        "engine/",
        "event/",
        "judge/",
        "advise/",
        "format/",
        "record/chain.rs",
        "record/clock.rs",
        "record/backoff.rs",
    ];
    const NOT_PURE: &[&str] = &["engine/capture.rs", "judge/sigma/load.rs"];
    const TESTS: &str = "#[cfg(test)]\nmod tests {";
    let is_pure = |path: &str| {
        let is_under = |place: &&str| path.starts_with(*place);
        PURE.iter().any(is_under) && !NOT_PURE.iter().any(is_under) && !is_test(path)
    };
    let in_agent = |file: &&File| file.path.strip_prefix("hostnet-user/src/").is_some_and(is_pure);
    let mut found = Vec::new();
    for file in rust(files).filter(in_agent) {
        let code = file.text.split(TESTS).next().unwrap_or_default();
        for (at, line) in code.lines().enumerate() {
            let Some(part) = WORLD.iter().find(|part| names_part(line, part)) else { continue };
            found.push(Finding {
                path: file.path.clone(),
                line: Some(at + 1),
                message: format!("names {part}, but this stage does no I/O and reads no clock"),
            });
        }
    }
    found
}

/// What reads a file or a clock, asks the kernel, or runs beside others.
const WORLD: &[&str] = &[
    "::now(",
    "Command::",
    "File::",
    "OpenOptions::",
    "TcpStream::",
    "UdpSocket::",
    "UnixStream::",
    "fs::",
    "rustix::",
    "thread::",
    "tokio::",
];

/// Whether a line of code has this part of a path: `fs::read`, `std::fs::read`, but not
/// `procfs::read` or a comment.
fn names_part(line: &str, part: &str) -> bool {
    let code = line.trim_start();
    let is_whole = |at| {
        let before = code.get(..at).unwrap_or_default();
        part.starts_with(':') || !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    !code.starts_with("//") && code.match_indices(part).any(|(at, _)| is_whole(at))
}

fn crate_uses(
    files: &[File],
    crates: &[&str],
    may: impl Fn(&str) -> bool,
    message: &str,
) -> Vec<Finding> {
    rust(files)
        .filter(|file| !may(&file.path))
        .flat_map(|file| {
            crates.iter().flat_map(move |name| {
                findings(file, move |line| names_crate(line, name)).map(move |finding| Finding {
                    message: format!("{name}: {message}"),
                    ..finding
                })
            })
        })
        .collect()
}

/// Whether a line of code uses a crate by name: `aya::x`, `use aya;`, but not
/// `aya_ebpf::x`, `crate::aya` or a comment.
fn names_crate(line: &str, name: &str) -> bool {
    let code = line.trim_start();
    if code.starts_with("//") {
        return false;
    }
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.match_indices(name).any(|(at, _)| {
        let before = code.get(..at).unwrap_or_default();
        let after = code.get(at + name.len()..).unwrap_or_default();
        let leading = before.strip_suffix("::").filter(|rest| !rest.ends_with(part_of_name));
        let starts = leading.is_some() || !before.ends_with(part_of_name);
        let imported = ["use ", "extern crate "].iter().any(|word| before.ends_with(word));
        starts && (after.starts_with("::") || imported && !after.starts_with(part_of_name))
    })
}

/// A file that cannot be read in one go gets another file.
fn file_length(files: &[File]) -> Vec<Finding> {
    rust(files)
        .filter_map(|file| {
            let lines = file.text.lines().count();
            (lines > MAX_LINES).then(|| Finding {
                path: file.path.clone(),
                line: None,
                message: format!(
                    "{lines} lines; {MAX_LINES} is the most, give a part its own file"
                ),
            })
        })
        .collect()
}

/// A path of the machine that something was made on: in a sample, a golden
/// file, or a binary.
fn local_path(files: &[File]) -> Vec<Finding> {
    // In two pieces, so that this file is not a finding.
    let homes = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    let checkout = format!("{}/", shell::root().display());
    // A checkout in `/src` would make a finding of every such folder.
    let is_telling = checkout.matches('/').count() > 2;
    let places: Vec<&str> =
        homes.into_iter().chain(is_telling.then_some(checkout.as_str())).collect();
    let is_there = |line: &str| places.iter().any(|place| names_place(line, place));
    files
        .iter()
        .filter(|file| !FOREIGN.iter().any(|prefix| file.path.starts_with(prefix)))
        .flat_map(|file| findings(file, is_there))
        .map(|finding| Finding { message: "names a local directory".into(), ..finding })
        .collect()
}

/// Whether a line has the place with something in it, and not as the end of
/// another path.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + place.len()..).unwrap_or_default();
        !before.ends_with(|c: char| c.is_alphanumeric() || "._-~}".contains(c))
            && after.starts_with(|c: char| c.is_alphanumeric() || c == '.')
    })
}

/// Where crates were downloaded from is nobody's business, and a lock file that
/// names a mirror works behind that mirror only.
fn registry_host(files: &[File]) -> Vec<Finding> {
    let hosts = [concat!("index.crates", ".io"), concat!("static.crates", ".io")];
    let public = concat!("registry", "+https://github.com/rust-lang/crates.io-index");
    let is_there = move |line: &str| {
        let mirror = line.contains(concat!("registry", "+")) && !line.contains(public)
            || line.contains(concat!("spar", "se+http"));
        mirror || hosts.iter().any(|host| line.contains(host))
    };
    files
        .iter()
        .flat_map(|file| findings(file, is_there))
        .map(|finding| Finding { message: "names a registry host".into(), ..finding })
        .collect()
}

/// A module with a folder is `folder/mod.rs`, so that the folder is the module.
fn mod_rs(files: &[File]) -> Vec<Finding> {
    rust(files)
        .filter_map(|file| {
            let folder = file.path.strip_suffix(".rs")?;
            let own_name = folder.rsplit('/').next()?;
            let inside = format!("{folder}/");
            let has_folder = rust(files).any(|other| other.path.starts_with(&inside));
            (has_folder && !matches!(own_name, "main" | "lib")).then(|| Finding {
                path: file.path.clone(),
                line: None,
                message: format!("has a folder of its own; call it {folder}/mod.rs"),
            })
        })
        .collect()
}

/// A lint that is switched off without a reason is never switched on again.
fn allow_reason(files: &[File]) -> Vec<Finding> {
    rust(files)
        .flat_map(|file| {
            let attributes = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];
            let mut starts: Vec<usize> = attributes
                .iter()
                .flat_map(|attribute| file.text.match_indices(attribute))
                .map(|(at, _)| at)
                .collect();
            starts.sort_unstable();
            starts.into_iter().filter_map(|start| {
                let rest = file.text.get(start..)?;
                let attribute = rest.split(")]").next().unwrap_or(rest);
                let line_start = file.text.get(..start)?.rsplit('\n').next()?;
                let is_code = !line_start.contains("//") && !line_start.contains('"');
                (is_code && !attribute.contains("reason")).then(|| Finding {
                    path: file.path.clone(),
                    line: Some(line_at(&file.text, start)),
                    message: "allows a lint without saying why; add reason = \"…\"".into(),
                })
            })
        })
        .collect()
}

/// What is not released yet stands first, so that a change has where to go.
fn changelog(files: &[File]) -> Vec<Finding> {
    const PATH: &str = "CHANGELOG.md";
    let finding = |line: Option<usize>, message: &str| {
        vec![Finding { path: PATH.into(), line, message: message.into() }]
    };
    let Some(file) = files.iter().find(|file| file.path == PATH) else {
        return finding(None, "is missing");
    };
    match file.text.lines().enumerate().find(|(_, line)| line.starts_with("## ")) {
        Some((_, heading)) if heading.contains("Unreleased") => Vec::new(),
        Some((at, _)) => finding(Some(at + 1), "the first section must be \"Unreleased\""),
        None => finding(None, "has no section; it must begin with \"## Unreleased\""),
    }
}

/// A reader of README wants to begin; the rest has pages below docs/.
fn readme_length(files: &[File]) -> Vec<Finding> {
    const PATH: &str = "README.md";
    const MAX_WORDS: usize = 800;
    let words = |file: &&File| file.text.split_whitespace().count();
    let too_long = files.iter().filter(|file| file.path == PATH && words(file) > MAX_WORDS);
    too_long
        .map(|file| Finding {
            path: PATH.into(),
            line: None,
            message: format!("{} words; {MAX_WORDS} is the most, docs/ has room", words(&file)),
        })
        .collect()
}

/// Skipped tests are counted by one line that one helper prints.
fn skip_word(files: &[File]) -> Vec<Finding> {
    let may = |path: &str| path == "tests/src/skip.rs" || path.starts_with("xtask/");
    // In two pieces, so that this file is not a finding.
    let words = [concat!("\"skip", "ping: "), concat!("\"skip", "ped: ")];
    rust(files)
        .filter(|file| !may(&file.path))
        .flat_map(|file| findings(file, |line| words.iter().any(|word| line.contains(word))))
        .map(|finding| Finding {
            message: "a test that does not run says so with skip() of tests/src/skip.rs".into(),
            ..finding
        })
        .collect()
}
