use serde_json::{Value, json};

use super::*;

fn rendered(format: Format, document: &Value) -> String {
    let mut line = Vec::new();
    let mut renderer = Renderer::new(format);
    renderer.render(document.to_string().as_bytes(), &mut line).expect("an event of ours");
    String::from_utf8(line).expect("text")
}

fn ocsf(document: &Value) -> Value {
    serde_json::from_str(&rendered(Format::Ocsf, document)).expect("JSON")
}

/// The least that is an event.
fn event(action: &str, dataset: &str) -> Value {
    json!({
        "@timestamp": "2026-11-23T18:05:00.000000007Z",
        "event": { "id": "1", "action": action, "dataset": dataset },
        "host": { "hostname": "node" },
    })
}

#[test]
fn ecs_stays_as_it_is() {
    let mut line = Vec::new();
    Renderer::new(Format::Ecs).render(b"{\"any\": 1}\n", &mut line).unwrap();
    assert_eq!(line, b"{\"any\": 1}");
}

#[test]
fn what_is_no_event_is_refused_and_nothing_is_written() {
    for (bytes, reason) in [
        (&b"not JSON"[..], "not an event: not one JSON object"),
        (b"[]", "not an event: not one JSON object"),
        (b"{}", "not an event: without @timestamp"),
        (b"{\"@timestamp\":\"x\",\"event\":{\"id\":\"1\"}}", "not an event: without event.action"),
        (
            b"{\"@timestamp\":\"x\",\"event\":{\"id\":\"1\",\"action\":\"a\"}}",
            "not an event: @timestamp is no time",
        ),
    ] {
        for format in [Format::Ocsf, Format::Cef] {
            let mut line = b"before".to_vec();
            let error = Renderer::new(format).render(bytes, &mut line).unwrap_err();
            assert_eq!(error.to_string(), reason);
            assert_eq!(line, b"before");
        }
    }
}

#[test]
fn a_connect_is_opened_refused_failed_or_not_known_yet() {
    for (outcome, reason, activity, name) in [
        ("success", None, 1, "Open"),
        ("failure", Some("ECONNREFUSED"), 5, "Refuse"),
        ("failure", Some("ETIMEDOUT"), 4, "Fail"),
        ("unknown", None, 99, "Connect"),
    ] {
        let mut event = event("connection_attempted", "hostnet.network");
        event["event"]["outcome"] = outcome.into();
        if let Some(reason) = reason {
            event["event"]["reason"] = reason.into();
        }
        let ocsf = ocsf(&event);
        assert_eq!(ocsf["activity_id"], activity);
        assert_eq!(ocsf["activity_name"], name);
        assert_eq!(ocsf["type_uid"], 400_100 + activity);
        assert_eq!(ocsf.get("status_code"), event["event"].get("reason"));
    }
}

#[test]
fn a_udp_server_listens_and_a_client_does_not() {
    let activity = |transport: &str, port: Option<u16>| {
        let mut event = event("bound-socket", "hostnet.network");
        event["event"]["outcome"] = "success".into();
        event["network"] = json!({ "transport": transport });
        if let Some(port) = port {
            event["hostnet"] = json!({ "bind": { "requested_port": port } });
        }
        ocsf(&event)["activity_id"].clone()
    };
    assert_eq!(activity("udp", Some(53)), 7);
    assert_eq!(activity("udp", Some(0)), 99);
    assert_eq!(activity("udp", None), 99);
    assert_eq!(activity("tcp", Some(80)), 99);
}

/// Whatever is added later has a class, and keeps its own name.
#[test]
fn kinds_that_are_not_known_here_go_by_their_dataset() {
    for (dataset, outcome, class, activity, name) in [
        ("hostnet.network", "success", 4001, 99, "new-kind"),
        ("hostnet.process", "success", 1007, 99, "new-kind"),
        ("hostnet.finding", "success", 2004, 1, "Create"),
        ("hostnet.state", "success", 5019, 1, "Log"),
        ("hostnet.health", "success", 6002, 99, "new-kind"),
        ("hostnet.health", "failure", 6008, 1, "General Error"),
        ("other", "success", 5019, 99, "new-kind"),
    ] {
        let mut event = event("new-kind", dataset);
        event["event"]["outcome"] = outcome.into();
        let ocsf = ocsf(&event);
        assert_eq!(ocsf["class_uid"], class);
        assert_eq!(ocsf["activity_id"], activity);
        assert_eq!(ocsf["activity_name"], name);
        assert_eq!(ocsf["metadata"]["event_code"], "new-kind");
        assert!(rendered(Format::Cef, &event).contains("|new-kind|new-kind|"));
    }
}

#[test]
fn the_owners_end_has_its_container_whoever_began() {
    let mut event = event("connection_accepted", "hostnet.network");
    event["container"] = json!({ "id": "c0ffee" });
    event["client"] = json!({ "address": "10.0.0.1", "ip": "10.0.0.1", "port": 1000 });
    event["server"] = json!({ "address": "10.0.0.2", "ip": "10.0.0.2", "port": 80 });
    event["network"] = json!({ "direction": "ingress" });
    let ours = json!({ "uid": "c0ffee", "network_driver": "host" });
    let accepted = ocsf(&event);
    assert_eq!(accepted["dst_endpoint"]["container"], ours);
    assert_eq!(accepted["observation_point_id"], 2);
    event["network"]["direction"] = "egress".into();
    let connected = ocsf(&event);
    assert_eq!(connected["src_endpoint"]["container"], ours);
    assert_eq!(connected["observation_point_id"], 1);
    assert_eq!(connected["is_src_dst_assignment_known"], true);
}

/// A published port leads to a container that is not on the host's network.
#[test]
fn a_container_behind_docker_proxy_is_not_said_to_be_on_the_hosts_network() {
    let mut event = event("connection_attempted", "hostnet.network");
    event["network"] = json!({ "direction": "egress" });
    event["server"] = json!({ "address": "127.0.0.1", "ip": "127.0.0.1", "port": 80 });
    event["hostnet"] =
        json!({ "peer": { "container": { "id": "c0ffee" }, "via": "docker-proxy" } });
    assert_eq!(ocsf(&event)["dst_endpoint"]["container"], json!({ "uid": "c0ffee" }));
    event["hostnet"]["peer"]["via"].take();
    event["hostnet"]["peer"].as_object_mut().unwrap().remove("via");
    assert_eq!(ocsf(&event)["dst_endpoint"]["container"]["network_driver"], "host");
}

#[test]
fn times_are_exact_beside_their_milliseconds() {
    let ocsf = ocsf(&event("exec", "hostnet.process"));
    assert_eq!(ocsf["time"], 1_795_457_100_000_u64);
    assert_eq!(ocsf["time_dt"], "2026-11-23T18:05:00.000000007Z");
}

#[test]
fn what_has_no_name_there_is_unmapped() {
    let mut event = event("exec", "hostnet.process");
    event["hostnet"] = json!({ "new": { "field": [1, "x"] } });
    event["container"] = json!({ "id": "c", "image": { "name": "nginx" } });
    let ocsf = ocsf(&event);
    assert_eq!(ocsf["unmapped"]["hostnet"]["new"], json!({ "field": [1, "x"] }));
    // OCSF has no image without its id.
    assert_eq!(ocsf["unmapped"]["container"]["image"], json!({ "name": "nginx" }));
    let cef = rendered(Format::Cef, &event);
    assert!(cef.contains(r#" hostnetNewField=[1,"x"]"#), "{cef}");
}
