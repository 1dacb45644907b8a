//! What becomes of a container under Docker's commands: names and settings follow,
//! and whatever acts inside it is its own.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use hostnet_tests::{
    ActorBox, Agent, Docker, IMAGE, Want, at, needs_docker, needs_root, net, proxy::Proxy, want,
};
use serde_json::{Map, Value};

/// How long after a change the agent may still tell what was before.
const RECONCILED: Duration = Duration::from_secs(5);

/// Acts until an event shows the change, which was made at `changed`.
fn until(agent: &Agent, actor: &mut ActorBox, changed: Instant, path: &str, value: &str) -> Value {
    loop {
        let acted = Instant::now();
        let port = actor.connect_refused();
        let ours = want().attempt(port).is("container.id", actor.container.id.as_str());
        let event = agent.expect(&ours);
        if at(&event, path).is_some_and(|found| found == value) {
            return event;
        }
        let after = acted.duration_since(changed);
        assert!(after < RECONCILED, "{path} is not {value} after {after:?}: {event}");
    }
}

#[test]
fn a_container_is_renamed() {
    needs_root!();
    needs_docker!("a rename");
    let docker = Docker::shared();
    let agent = Agent::start();
    let mut actor = docker.launch("host").actor();
    let before = actor.connect_refused();
    agent.expect(&want().attempt(before).owned_by(&actor.container));
    let name = Docker::fresh_name("renamed");
    docker.run(["rename", &actor.container.name, &name]);
    until(&agent, &mut actor, Instant::now(), "container.name", &name);
    agent.stop();
}

#[test]
fn a_container_is_updated() {
    needs_root!();
    needs_docker!("an update");
    let docker = Docker::shared();
    let agent = Agent::start();
    // Docker does not change the policy of a container with --rm.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut actor = docker.launch("host").actor_by_pipes(directory.path());
    let field = "hostnet.container.restart_policy";
    let before = actor.connect_refused();
    agent.expect(&want().attempt(before).owned_by(&actor.container).is(field, "no"));
    docker.run(["update", "--restart=on-failure:3", &actor.container.id]);
    until(&agent, &mut actor, Instant::now(), field, "on-failure");
    agent.stop();
}

/// The stream of events is not there for a while; the list has to do.
#[test]
fn what_the_events_forgot_is_found_in_the_list() {
    needs_root!();
    needs_docker!("a rename");
    let docker = Docker::shared();
    let proxy = Proxy::start(docker.host(), |path| !path.starts_with("/events"));
    let agent = Agent::setup().docker_host(&proxy.host()).start();
    let mut actor = docker.launch("host").actor();
    let before = actor.connect_refused();
    agent.expect(&want().attempt(before).owned_by(&actor.container));
    let name = Docker::fresh_name("renamed");
    docker.run(["rename", &actor.container.name, &name]);
    let slack = Duration::from_secs(1);
    until(&agent, &mut actor, Instant::now() + slack, "container.name", &name);
    agent.stop();
}

#[test]
fn a_container_restarts_by_its_policy() {
    needs_root!();
    needs_docker!("a restart policy");
    let port = net::closed_port();
    let agent = Agent::start();
    let text = port.to_string();
    let container = Docker::shared().launch("host").options(["--restart=always"]).start([
        "/actor",
        "short",
        "127.0.0.1",
        &text,
    ]);
    let ours = |wanted: Want| wanted.owned_by(&container);
    agent.expect_many(3, &ours(want().attempt(port)));
    for action in ["container-joined-host-network", "container-left-host-network"] {
        agent.expect_many(2, &ours(want().action(action)));
    }
    Docker::shared().run(["update", "--restart=no", &container.id]);
    agent.marker();
    let run = agent.stop();
    let attempts = run.all(&want().attempt(port));
    assert_eq!(
        attempts.len(),
        run.all(&ours(want().attempt(port))).len(),
        "all are the container's"
    );
    assert_eq!(attempts.len(), run.all(&ours(want().attempt(port)).is("process.vpid", 1)).len());
}

#[test]
fn docker_exec_is_the_containers() {
    needs_root!();
    needs_docker!("exec");
    let agent = Agent::start();
    let container = Docker::shared().launch("host").start(["sleep", "1000"]);
    let port = net::closed_port();
    container.exec(["/actor", "short", "127.0.0.1", &port.to_string()]);
    let event = agent.expect(&want().attempt(port).owned_by(&container));
    assert_ne!(event["process"]["vpid"], 1, "{event}");
    assert_eq!(event["process"]["args"][1], "short", "{event}");
    agent.stop();
}

#[test]
fn a_health_check_is_the_containers() {
    needs_root!();
    needs_docker!("health checks");
    let agent = Agent::start();
    let port = net::closed_port();
    let check = format!("/actor short 127.0.0.1 {port}");
    let container = Docker::shared()
        .launch("host")
        .options(["--health-interval=200ms", "--health-cmd", &check])
        .start(["sleep", "1000"]);
    agent.expect_many(3, &want().attempt(port).owned_by(&container));
    agent.stop();
}

/// A paused container does nothing, and is neither gone nor another afterwards.
#[test]
fn a_container_is_paused() {
    needs_root!();
    needs_docker!("a pause");
    let docker = Docker::shared();
    let agent = Agent::start();
    let mut actor = docker.launch("host").actor();
    let before = actor.connect_refused();
    agent.expect(&want().attempt(before).owned_by(&actor.container));
    docker.run(["pause", &actor.container.id]);
    let port = net::closed_port();
    actor.begin(&format!("tcp-connect 127.0.0.1 {port}"));
    agent.marker();
    docker.run(["unpause", &actor.container.id]);
    actor.finish();
    agent.expect(&want().attempt(port).owned_by(&actor.container));
    let run = agent.stop();
    let ours = |action| want().action(action).owned_by(&actor.container);
    run.only(&ours("container-joined-host-network"));
    run.none(&ours("container-left-host-network"));
}

#[test]
fn labels_say_what_a_container_is_a_part_of() {
    needs_root!();
    needs_docker!("labels");
    let agent = Agent::start();
    let of = |labels: [&str; 3]| {
        let [one, two, three] = labels;
        let options = ["--label", one, "--label", two, "--label", three];
        Docker::shared().launch("host").options(options).actor()
    };
    let mut pod = of([
        "io.kubernetes.pod.name=web-0",
        "io.kubernetes.pod.namespace=shop",
        "io.kubernetes.pod.uid=0b1c",
    ]);
    let port = pod.connect_refused();
    let orchestrator = serde_json::json!({
        "type": "kubernetes", "namespace": "shop",
        "resource": { "type": "pod", "name": "web-0", "id": "0b1c" },
    });
    agent.expect(&want().attempt(port).owned_by(&pod.container).is("orchestrator", orchestrator));
    let mut task = of([
        "com.docker.swarm.service.name=shop_web",
        "com.docker.swarm.service.id=x7",
        "com.docker.stack.namespace=shop",
    ]);
    let port = task.connect_refused();
    let orchestrator = serde_json::json!({
        "type": "swarm", "namespace": "shop",
        "resource": { "type": "service", "name": "shop_web", "id": "x7" },
    });
    agent.expect(&want().attempt(port).owned_by(&task.container).is("orchestrator", orchestrator));
    agent.stop();
}

/// Labels are anybody's words: the event that describes the container has them, up to the
/// limits, and other events those that consumers join on.
#[test]
fn labels_are_reported_once_up_to_the_limits() {
    needs_root!();
    needs_docker!("labels");
    let docker = Docker::shared();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("labels");
    let labels: Vec<String> =
        (0..64).map(|number| format!("label-{number:02}={}", "x".repeat(200))).collect();
    std::fs::write(&file, labels.join("\n")).expect("a file");
    let file = format!("--label-file={}", file.display());
    // The test's own label and Compose's are there, too.
    let project = "--label=com.docker.compose.project=shop";
    let of = |actor: &mut ActorBox, agent: &Agent| {
        let count = |event: &Value| event["container"]["labels"].as_object().map_or(0, Map::len);
        let described = want().action("container-in-host-network").owned_by(&actor.container);
        let described = agent.expect(&described);
        let cut = described["hostnet"]["container"]["labels_cut"].as_u64().expect("a count");
        assert_eq!(count(&described) as u64 + cut, 66, "{described}");
        let port = actor.connect_refused();
        let event = agent.expect(&want().attempt(port).owned_by(&actor.container));
        assert_eq!(count(&event), 2, "{event}");
        assert_eq!(event["hostnet"]["compose"]["project"], "shop", "{event}");
        count(&described)
    };
    let mut actor = docker.launch("host").options([&file, project]).actor();
    let agent = Agent::start();
    let labels = of(&mut actor, &agent);
    assert!((10..=32).contains(&labels), "{labels} labels");
    agent.stop();
    let agent = Agent::setup().sections("[labels]\nmax = 2\n").start();
    assert_eq!(of(&mut actor, &agent), 2);
    agent.stop();
}

/// Compose itself, where it is installed.
#[test]
fn a_compose_project_is_told_by_name() {
    needs_root!();
    needs_docker!("Compose");
    let installed = Command::new("docker-compose").arg("version").stdout(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        return hostnet_tests::skip(
            "no docker-compose here (Debian: apt-get install docker-compose)",
        );
    }
    let port = net::closed_port();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("compose.yml");
    let label = Docker::label();
    let text = format!(
        "version: '2.4'\nservices:\n  web:\n    image: {IMAGE}\n    network_mode: host\n    \
         labels: ['{label}']\n    stop_grace_period: 1s\n    \
         command: ['sh', '-c', '/actor short 127.0.0.1 {port}; exec sleep 1000']\n"
    );
    std::fs::write(&file, text).expect("a Compose file");
    let project = Docker::fresh_name("project");
    let compose = |words: &[&str]| {
        let output = Command::new("docker-compose")
            .args(["--project-name", &project, "--file"])
            .arg(&file)
            .args(words)
            .env("DOCKER_HOST", Docker::shared().host())
            .env("DOCKER_CONFIG", "/nonexistent")
            .stdin(Stdio::null())
            .output()
            .expect("docker-compose can be started");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "docker-compose {words:?}: {error}");
    };
    let agent = Agent::start();
    compose(&["up", "--detach"]);
    let event =
        agent.expect(&want().attempt(port).is("container.name", format!("{project}_web_1")));
    compose(&["down", "--timeout", "1"]);
    assert_eq!(event["hostnet"]["compose"]["project"], project.as_str(), "{event}");
    assert_eq!(event["hostnet"]["compose"]["service"], "web", "{event}");
    agent.expect(
        &want()
            .action("container-left-host-network")
            .is("container.name", format!("{project}_web_1")),
    );
    agent.stop();
}

/// The agent works behind a proxy that lets seven requests through, and what it
/// never asks for it cannot tell: the environment, which every inspect has, is in
/// no event, no message and no recording.
#[test]
fn seven_requests_are_enough_and_the_environment_stays_secret() {
    needs_root!();
    needs_docker!("an API");
    let docker = Docker::shared();
    let proxy = Proxy::start(docker.host(), |_| true);
    let secret = format!("hostnet-canary-{:x}", std::process::id() ^ 0x5eed_5eed);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let recording = directory.path().join("recording");
    // By a file: the arguments of `docker` are a process's, and told as such.
    let variables = directory.path().join("variables");
    std::fs::write(&variables, format!("TOKEN={secret}\n")).expect("a file");
    let variables = variables.to_str().expect("UTF-8");
    let launch = || docker.launch("host").options(["--env-file", variables]);
    let mut older = launch().actor();
    let agent = Agent::setup()
        .docker_host(&proxy.host())
        .environment("HOSTNET_LOG", "trace")
        .observe(&format!("record = \"{}\"", recording.display()))
        .start();
    let mut younger = launch().actor();
    until(&agent, &mut younger, Instant::now(), "hostnet.attribution.confidence", "confirmed");
    until(&agent, &mut older, Instant::now(), "hostnet.attribution.confidence", "confirmed");
    let name = Docker::fresh_name("renamed");
    docker.run(["rename", &younger.container.name, &name]);
    until(&agent, &mut younger, Instant::now(), "container.name", &name);
    let run = agent.stop();

    let asked = proxy.asked();
    let has = |kind: &str| asked.iter().any(|line| line.contains(kind));
    for kind in ["/version", "/containers/json?", "/containers/", "/events?"] {
        assert!(has(kind), "never asked for {kind}: {asked:?}");
    }
    assert!(asked.iter().all(|line| line.starts_with("GET ")), "{asked:?}");
    assert_eq!(proxy.refused(), Vec::<String>::new());
    let inspect = docker.run(["inspect", &younger.container.id]);
    assert!(inspect.contains(&secret), "Docker tells the environment: {inspect}");
    let written = std::fs::read(&recording).expect("a recording");
    let has_name = |name: &[u8]| written.windows(name.len()).any(|bytes| bytes == name);
    assert!(has_name(younger.container.name.as_bytes()), "the recording has what was learned");
    assert!(!has_name(secret.as_bytes()), "in the recording");
    assert!(!run.messages.contains(&secret), "in a message");
    let told = |event: &&Value| event.to_string().contains(&secret);
    assert_eq!(run.events.iter().find(told), None, "in an event");
}
