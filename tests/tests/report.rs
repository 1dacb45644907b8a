//! `hostnet report` and `hostnet collect` of what a real agent kept, looked at with a
//! real browser.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use hostnet_tests::{
    Agent, Docker, Service, hostnet, needs_docker, needs_root, net, skip, wait_for, want,
};
use serde_json::Value;
use tempfile::TempDir;

/// Names that no runtime gives, in place of those that it gave.
const HOSTILE: [&str; 3] = [
    "<script>document.title='ran'</script>",
    "\"><img src=x onerror=\"document.title='ran'\">",
    "</title></style></svg>\u{202e}<svg onload=document.title='ran'>",
];

/// What a run of the agent left.
struct Story {
    directory: TempDir,
    history: PathBuf,
    /// All events that it told, as lines.
    lines: String,
    /// Names of the containers.
    names: Vec<String>,
}

/// Two honest containers and one that looks around.
fn story() -> Story {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, 2375)).is_ok();
    let options = ["--host=tcp://127.0.0.1:2375", "--tls=false"];
    let docker = Docker::with_options(if is_free { &options } else { &[] });
    let redis = Service::redis();
    let agent = Agent::setup().docker_host(docker.host()).history(&history).start();
    let port = net::closed_port();
    let number = port.to_string();
    let web = docker.launch("host").name("shop-web");
    let web = web.start(["httpd", "-f", "-p", &number, "-h", "/www"]);
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let fetches = || !net::exchange(at, b"GET /page HTTP/1.0\r\n\r\n").received.is_empty();
    wait_for("the web server", fetches);
    assert!((0..30).all(|_| fetches()));
    let mut worker = docker.launch("host").name("shop-worker").actor();
    let mut probe = docker.launch("host").name("debug-probe").actor();
    for turn in 0..40_u16 {
        worker.perform(&format!("tcp-connect 127.0.0.1 {}", redis.port));
        worker.perform(&format!("tcp-connect 127.0.0.1 {port}"));
        probe.perform(&format!("tcp-connect 127.0.0.1 {}", 20_000 + turn));
    }
    probe.perform("tcp-connect 127.0.0.1 2375");
    probe.perform("raw-icmp");
    let escape = format!("echo \"{}\"", HOSTILE[0]);
    web.exec(["sh", "-c", &escape]);
    agent.marker();
    agent.expect(&want().action("exec").owned_by(&web).includes("process.args", escape.as_str()));
    drop(probe.into_container());
    let names = ["shop-web", "shop-worker", "debug-probe"].map(str::to_owned).to_vec();
    let run = agent.stop();
    let lines: Vec<String> = run.events.iter().map(Value::to_string).collect();
    Story { directory, history, lines: lines.join("\n"), names }
}

fn run(arguments: &[&str]) -> Output {
    let output = Command::new(hostnet()).args(arguments).output();
    output.expect("hostnet can be started")
}

fn report(arguments: &[&str], to: &Path) -> String {
    let to_text = to.to_str().expect("UTF-8");
    let output = run(&[&["report", "-o", to_text], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert_eq!(to.metadata().expect("a page").permissions().mode() & 0o777, 0o600);
    fs::read_to_string(to).expect("a page")
}

/// Debian's Chromium, without a window.
struct Browser {
    home: TempDir,
}

impl Browser {
    fn new() -> Option<Self> {
        if Command::new("chromium").arg("--version").output().is_err() {
            skip("no chromium (Debian: chromium)");
            return None;
        }
        Some(Self { home: tempfile::tempdir().expect("a temporary directory") })
    }

    /// What it has made of a page when all of it has run, and what it complains of.
    fn open(&self, page: &Path, options: &[&str]) -> (String, String) {
        let home = self.home.path();
        let output = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .args(["--enable-logging=stderr", "--virtual-time-budget=2000"])
            .arg(format!("--user-data-dir={}", home.display()))
            .args(options)
            .arg(format!("file://{}", page.display()))
            .env("HOME", home)
            .output()
            .expect("chromium can be started");
        assert!(output.status.success(), "{}", output.status);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    }
}

/// Whether the browser said that something on the page was not allowed.
fn is_refused(messages: &str) -> bool {
    messages.contains("Content Security Policy")
}

#[test]
fn names_that_are_programs_stay_names_in_a_browser() {
    needs_root!();
    needs_docker!("containers with names");
    let Some(browser) = Browser::new() else { return };
    let story = story();
    let lines =
        story.names.iter().zip(HOSTILE).fold(story.lines.clone(), |lines, (name, hostile)| {
            let quoted = Value::from(hostile).to_string();
            lines.replace(&format!("\"name\":\"{name}\""), &format!("\"name\":{quoted}"))
        });
    let file = story.directory.path().join("hostile.ndjson");
    fs::write(&file, &lines).expect("room");
    let path = story.directory.path().join("hostile.html");
    let page = report(&["--file", file.to_str().expect("UTF-8")], &path);
    assert!(page.contains("&lt;script&gt;document.title=") && !page.contains("<script"));
    assert!(page.contains("\\u{202e}") && !page.contains('\u{202e}'));
    let (seen, messages) = browser.open(&path, &["--dump-dom"]);
    assert!(seen.contains("<title>hostnet report: "), "{seen}");
    for element in ["<img", "<script", "<svg onload"] {
        assert!(!seen.contains(element), "{element} is on the page");
    }
    assert!(!is_refused(&messages), "{messages}");
    // The same browser runs what is there to be run, and tells what it refuses.
    let spoilt = story.directory.path().join("spoilt.html");
    let script = format!("{}</main>", HOSTILE[0]);
    fs::write(&spoilt, page.replacen("</main>", &script, 1)).expect("room");
    let (seen, messages) = browser.open(&spoilt, &["--dump-dom"]);
    assert!(seen.contains("<title>hostnet report: ") && is_refused(&messages), "{messages}");
    let (_, without_policy) = page.split_once("<meta name=\"viewport\"").expect("a head");
    fs::write(&spoilt, without_policy.replacen("</main>", &script, 1)).expect("room");
    let (seen, _) = browser.open(&spoilt, &["--dump-dom"]);
    assert!(seen.contains("<title>ran</title>"), "{seen}");
}

#[test]
fn a_page_of_a_real_run_says_what_happened() {
    needs_root!();
    needs_docker!("containers with names");
    let Some(browser) = Browser::new() else { return };
    let story = story();
    let history = story.history.to_str().expect("UTF-8");
    let path = story.directory.path().join("report.html");
    let page = report(&["--history", history], &path);
    for said in [
        "shop-web",
        "debug-probe",
        "redis-server@",
        "chain verified",
        "T1046",
        "Many ports or hosts tried",
    ] {
        assert!(page.contains(said), "{said} is not on the page");
    }
    for (scheme, size) in [("light", "1280,3000"), ("dark", "1280,3000"), ("narrow", "500,3000")] {
        let picture = events_or(&story, &format!("report-{scheme}.png"));
        let screenshot = format!("--screenshot={}", picture.display());
        let size = format!("--window-size={size}");
        let mut options = vec![screenshot.as_str(), size.as_str()];
        if scheme == "dark" {
            options.push("--blink-settings=preferredColorScheme=0");
        }
        let (_, messages) = browser.open(&path, &options);
        assert!(!is_refused(&messages), "{messages}");
        let bytes = picture.metadata().expect("a picture").len();
        assert!(bytes > 50_000, "{bytes} bytes are no picture of a page");
    }
    if let Some(kept) = std::env::var_os("HOSTNET_KEEP_REPORT") {
        fs::copy(&path, PathBuf::from(kept).join("report.html")).expect("room");
    }
}

/// Where a picture goes: to whoever wants to look at it, else beside the page.
fn events_or(story: &Story, name: &str) -> PathBuf {
    let kept = std::env::var_os("HOSTNET_KEEP_REPORT");
    kept.map_or_else(|| story.directory.path().to_owned(), PathBuf::from).join(name)
}

#[test]
fn a_case_is_whole_wherever_it_is_unpacked() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let config = directory.path().join("config.toml");
    fs::write(&config, "[docker]\nhost = \"tcp://me:hunter2@127.0.0.1:1\"\n").expect("room");
    let agent = Agent::setup().history(&history).start();
    agent.marker();
    let case = directory.path().join("case-17.tar.gz");
    let [case_text, history_text, config_text] =
        [&case, &history, &config].map(|path| path.to_str().expect("UTF-8"));
    let arguments =
        ["collect", "-o", case_text, "--history", history_text, "--config", config_text];
    // While the agent writes it.
    let output = run(&arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert_eq!(case.metadata().expect("a case").permissions().mode() & 0o777, 0o600);
    // What is there is not written over.
    assert_eq!(run(&arguments).status.code(), Some(2));
    drop(agent.stop());
    let shell = |script: &str| {
        let output = Command::new("sh").args(["-c", script]).current_dir(&directory).output();
        let output = output.expect("sh can be started");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(
        said.split_once("  ").expect("a hash").0,
        shell("sha256sum <case-17.tar.gz").split_once(' ').expect("a hash").0
    );
    shell("tar -xzf case-17.tar.gz");
    let manifest = fs::read(directory.path().join("case-17/manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let files = manifest["files"].as_array().expect("files");
    assert_eq!(files.len(), 4);
    for file in files {
        let name = file["name"].as_str().expect("a name");
        let hash = shell(&format!("sha256sum <case-17/{name}"));
        assert_eq!(file["sha256"].as_str(), hash.split(' ').next(), "{name}");
    }
    assert_eq!(manifest["history"]["verified"], true, "{manifest:#}");
    let config = fs::read_to_string(directory.path().join("case-17/config.toml")).expect("it");
    assert!(config.contains("tcp://redacted@127.0.0.1:1") && !config.contains("hunter2"));
    let copy = directory.path().join("case-17/history.db");
    let copy = copy.to_str().expect("UTF-8");
    assert_eq!(run(&["verify", "--history", copy]).status.code(), Some(0));
    let found = run(&["query", "--history", copy, "events", "--action", "agent-started"]);
    assert!(String::from_utf8_lossy(&found.stdout).contains("agent-started"));
    let page = fs::read_to_string(directory.path().join("case-17/report.html")).expect("a page");
    assert!(page.contains("chain verified"));
}
