use super::{File, Finding, RULES};

/// What one rule says about a tree of these files.
fn check(rule: &str, files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<File> = files
        .iter()
        .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect();
    let rule = RULES.iter().find(|candidate| candidate.name == rule).unwrap();
    (rule.check)(&files).iter().map(Finding::to_string).collect()
}

fn good(rule: &str, path: &str, text: &str) {
    assert_eq!(check(rule, &[(path, text)]), [""; 0], "{path}: {text}");
}

fn bad(rule: &str, path: &str, text: &str) {
    let found = check(rule, &[(path, text)]);
    assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
}

#[test]
fn names_of_actions_are_in_one_table() {
    let table = (
        "hostnet-user/src/event/action.rs",
        "    ProcessEnded = \"end\", \"Process End\";\n    NameSpoof = \"name-spoof\", \"Spoof\";\n",
    );
    for (code, count) in [
        ("let a = \"name-spoof\";", 1),
        ("let sql = \"e.action = 'end'\";", 1),
        ("let t = [\"end\"];", 0),
        ("// \"name-spoof\"", 0),
        ("#[cfg(test)]\nmod tests {\n    let a = \"name-spoof\";\n}", 0),
    ] {
        let found = check("one-action-table", &[table, ("hostnet-user/src/judge/a.rs", code)]);
        assert_eq!(found.len(), count, "{code}: {found:?}");
    }
}

#[test]
fn only_the_kernel_folder_names_aya() {
    for code in ["use aya::Ebpf;", "use aya;", "let x = aya::Btf::new();", "f(::aya::x)"] {
        bad("aya-in-kernel", "hostnet-user/src/main.rs", code);
        good("aya-in-kernel", "hostnet-user/src/kernel/load.rs", code);
        good("aya-in-kernel", "docs/why.md", code);
    }
    bad("aya-in-kernel", "tests/src/lib.rs", "aya_log::EbpfLogger::init(&mut ebpf)?;");
    for code in
        ["use aya_ebpf::x;", "// aya::Ebpf", "use crate::aya::x;", "let aya = 1;", "himalaya::x"]
    {
        good("aya-in-kernel", "hostnet-user/src/main.rs", code);
    }
}

#[test]
fn only_one_file_names_bollard() {
    bad("bollard-in-docker", "hostnet-user/src/cli/audit.rs", "use bollard::Docker;");
    for module in ["docker.rs", "docker/mod.rs"] {
        good(
            "bollard-in-docker",
            &format!("hostnet-user/src/sources/{module}"),
            "use bollard::Docker;",
        );
    }
}

#[test]
fn only_the_judgement_names_sigma() {
    bad("sigma-in-judge", "hostnet-user/src/cli/rules.rs", "use sigma_rust::Rule;");
    good("sigma-in-judge", "hostnet-user/src/judge/sigma/parse.rs", "use sigma_rust::Rule;");
}

#[test]
fn only_sinks_name_network_clients() {
    bad("clients-in-sink", "hostnet-user/src/agent/pipeline.rs", "use reqwest::Client;");
    good("clients-in-sink", "hostnet-user/src/sink/http/client.rs", "use reqwest::Client;");
}

#[test]
fn one_file_writes_json_and_one_csv() {
    for code in ["serde_json::to_writer_pretty(&mut out, &x)?;", "x(&serde_json::to_string(&x)?)"] {
        bad("one-json-writer", "hostnet-user/src/cli/audit.rs", code);
        good("one-json-writer", "hostnet-user/src/text/json.rs", code);
        good("one-json-writer", "hostnet-user/src/audit/tests/forms.rs", code);
        good("one-json-writer", "tests/src/bin/owners.rs", code);
    }
    good("one-json-writer", "hostnet-user/src/query/sql.rs", "serde_json::to_value(row)?");
    let csv = "let to = csv::Writer::from_writer(out);";
    bad("one-json-writer", "hostnet-user/src/cli/audit.rs", csv);
    good("one-json-writer", "hostnet-user/src/cli/query/output.rs", csv);
}

#[test]
fn one_file_decides_how_long_a_socket_is_held() {
    let code = "row.ended = Some(Ended::ProcessEnded);";
    bad("one-lifetime", "hostnet-user/src/report/listeners.rs", code);
    good("one-lifetime", "hostnet-user/src/query/holdings.rs", code);
}

#[test]
fn what_is_replayed_does_not_look_at_the_world() {
    let path = "hostnet-user/src/attribute/owners/whose.rs";
    for code in ["fs::read(path)", "let at = Timestamp::now();", "rustix::fs::open(path)"] {
        bad("pure-stages", path, code);
        bad("pure-stages", "hostnet-user/src/record/clock.rs", code);
        good("pure-stages", "hostnet-user/src/sources/procfs.rs", code);
        good("pure-stages", "hostnet-user/src/record/store.rs", code);
        good("pure-stages", "hostnet-user/src/judge/sigma/load.rs", code);
        good("pure-stages", path, &format!("#[cfg(test)]\nmod tests {{\n{code}\n}}"));
    }
    for code in
        ["// fs::read", "How::File => file(value),", "procfs::read()", "let File { inode } = x;"]
    {
        good("pure-stages", path, code);
    }
}

#[test]
fn a_finding_names_its_line() {
    let found = check("aya-in-kernel", &[("a.rs", "\n\nuse aya::x;\n")]);
    assert_eq!(found, ["a.rs:3: aya: only hostnet-user/src/kernel may name it"]);
}

#[test]
fn a_file_has_at_most_400_lines() {
    good("file-length", "a.rs", &"\n".repeat(400));
    bad("file-length", "a.rs", &"\n".repeat(401));
    good("file-length", "a.tsv", &"\n".repeat(401));
}

#[test]
fn local_directories_are_found() {
    for text in ["/root/.cargo/bin", "\"/home/me/x\"", "at /Users/me"] {
        bad("local-path", "docs/a.md", text);
    }
    good("local-path", "tests/data/ecs_flat-9.4.0.yml", "e.g. /home/alice");
    for text in ["/rootfs", "$HOME/x", "/home/", "{dir}/root/a", "x/root/a"] {
        good("local-path", "docs/a.md", text);
    }
}

#[test]
fn registry_hosts_are_found() {
    bad("registry-host", "a.json", "src/index.crates.io-1949cf8c6b5b557f/aya");
    bad("registry-host", "Cargo.lock", "source = \"registry+https://mirror.example/index\"");
    bad("registry-host", "Cargo.lock", "source = \"sparse+https://mirror.example/\"");
    let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    good("registry-host", "Cargo.lock", public);
}

#[test]
fn a_folder_module_is_mod_rs() {
    let found = check("mod-rs", &[("src/sink.rs", ""), ("src/sink/file.rs", "")]);
    assert_eq!(found, ["src/sink.rs: has a folder of its own; call it src/sink/mod.rs"]);
    for path in ["src/sink/mod.rs", "src/sinks.rs", "src/lib.rs"] {
        assert!(check("mod-rs", &[(path, ""), ("src/sink/file.rs", "")]).is_empty());
    }
}

#[test]
fn a_lint_is_allowed_for_a_reason() {
    bad("allow-reason", "a.rs", "#[allow(dead_code)]\nfn f() {}");
    bad("allow-reason", "a.rs", "#![allow(\n    dead_code,\n    unused\n)]");
    good("allow-reason", "a.rs", "#[allow(\n    dead_code,\n    reason = \"x\"\n)]");
    good("allow-reason", "a.rs", "// `#[allow(dead_code)]` is not for us");
}

#[test]
fn a_readme_of_more_than_800_words_is_found() {
    good("readme-length", "README.md", &"word ".repeat(800));
    bad("readme-length", "README.md", &"word ".repeat(801));
    good("readme-length", "docs/limits.md", &"word ".repeat(801));
}

#[test]
fn a_skip_that_nobody_counts_is_found() {
    bad("skip-word", "tests/tests/a.rs", "tell(\"skipping: no root\");");
    bad("skip-word", "hostnet-user/src/a.rs", "println!(\"skipped: no root\");");
    good("skip-word", "tests/tests/a.rs", "skip(\"no root\");");
}

#[test]
fn the_changelog_begins_with_what_is_unreleased() {
    good("changelog", "CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n## 0.1.0\n");
    bad("changelog", "CHANGELOG.md", "# Changelog\n\n## 0.1.0\n");
    bad("changelog", "CHANGELOG.md", "# Changelog\n");
    bad("changelog", "README.md", "");
}

#[test]
fn the_security_model_names_tests_that_are_there() {
    let test = ("tests/tests/flood.rs", "#[test]\nfn connects() {}\n\nfn helper() {}\n");
    let page = |row: &str| {
        let text = format!("| it can | it cannot | shown by |\n|---|---|---|\n{row}\n");
        check("shown-by", &[("docs/security-model.md", &text), test])
    };
    for good in ["| a | b | `connects` |", "| a | b | `flood::connects`, `connects` |"] {
        assert_eq!(page(good), [""; 0]);
    }
    for bad in
        ["| a | b | `binds` |", "| a | b | `helper` |", "| a | b | `x::connects` |", "| a | b | |"]
    {
        assert_eq!(page(bad).len(), 1, "{bad}");
    }
    assert_eq!(check("shown-by", &[]).len(), 1);
}
