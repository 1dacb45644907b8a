use super::*;

#[test]
fn everything_has_a_default() {
    assert_eq!(Config::parse("").unwrap(), Config::default());
}

#[test]
fn sinks_and_settings() {
    let config = Config::parse(
        "[observe]\nall = true\n[[sink]]\ntype = \"file\"\npath = \"/x\"\nformat = \"ecs\"\n",
    )
    .unwrap();
    assert!(config.observe.all);
    let file = sink::Destination::File(sink::file::Settings { path: "/x".into() });
    assert_eq!(config.sink, [sink::Settings::new(file)]);
}

#[test]
fn metrics_are_served_where_it_says() {
    let listen = |text: &str| {
        let config = Config::parse(&format!("[metrics]\nlisten = {text:?}\n"));
        config.map(|config| config.metrics.listen.map(|listen| listen.to_string()))
    };
    for text in ["unix:/run/hostnet/metrics.sock", "127.0.0.1:9464", "[::1]:9464"] {
        assert_eq!(listen(text).unwrap().as_deref(), Some(text));
    }
    for text in ["", "9464", "localhost:9464", "unix:metrics.sock", "127.0.0.1"] {
        let error = listen(text).unwrap_err().to_string();
        assert!(error.contains("metrics.listen is"), "{error}");
    }
}

#[test]
fn hooks_are_left_out_by_name() {
    let config = Config::parse("[observe]\nwithout = [\"connect4\"]\n").unwrap();
    assert_eq!(config.observe.hooks_left_out(), [Hook::Connect4]);
}

#[cfg(feature = "http")]
#[test]
fn a_secret_in_the_configuration_is_refused_and_not_shown() {
    let text = "[[sink]]\ntype = \"http\"\nurl = \"https://a.example\"\nframing = \"loki\"\n";
    let error = |line: &str| Config::parse(&format!("{text}{line}\n")).unwrap_err().to_string();
    for line in ["token = \"hunter2\"", "token = { hunter2 = \"x\" }", "tokn = \"hunter2\""] {
        assert!(!error(line).contains("hunter2"), "{}", error(line));
    }
}

#[test]
fn what_is_not_known_is_named_with_its_line() {
    let error = Config::parse("[observe]\nal = true\n").unwrap_err().to_string();
    assert!(error.starts_with("line 2: [observe] has no \"al\""), "{error}");
    let error = Config::parse("[docker]\nhost = \"ftp://x\"\n").unwrap_err().to_string();
    assert!(error.starts_with("docker.host is \"ftp://x\": it must begin with"), "{error}");
    let error = Config::parse("[observe]\nring_mib = 3\n").unwrap_err().to_string();
    assert_eq!(error, "observe.ring_mib is 3: it must be a power of two from 1 to 1024");
    let twice = "[[sink]]\ntype = \"stdout\"\n".repeat(2);
    let error = Config::parse(&twice).unwrap_err().to_string();
    assert_eq!(error, "two sinks are called \"stdout\": give each its own sink.name");
    let text = "[[expect]]\nname = \"a\"\nreason = \"r\"\nuntil = \"soon\"\n";
    let error = Config::parse(text).unwrap_err().to_string();
    assert!(error.starts_with("line 4: \"soon\" is not a date"), "{error}");
    let error = Config::parse("[docker]\n[[expect]]\nname = \"a\"\n").unwrap_err();
    assert!(error.to_string().starts_with("line 2: the expect entry of name a"), "{error}");
    let error = Config::parse("[history]\nmax_mib = 10\n").unwrap_err().to_string();
    assert_eq!(error, "history.max_mib is 10: it must be at least 32");
    let error = Config::parse("[observe]\nburst = 0\n").unwrap_err().to_string();
    assert!(error.starts_with("observe.burst is 0: it must be"), "{error}");
    let error = Config::parse("[observe]\nwithout = [\"connect5\"]\n").unwrap_err().to_string();
    assert!(error.starts_with("observe.without names \"connect5\": it must be"), "{error}");
}
