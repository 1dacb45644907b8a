//! What a page says of an afternoon.

use hostnet::query::{Filter, Time};

use crate::{
    story::{afternoon, kept, lost, page_of},
    support::second,
};

/// Headings, columns and folds in their order: the page without what is in it.
fn outline(page: &str) -> String {
    let mut lines = String::new();
    let (_, body) = page.split_once("<body>").expect("a body");
    for name in ["h1", "h2", "h3", "th", "dt", "summary"] {
        lines.push_str(&format!("{name}:"));
        let mut rest = body;
        while let Some((_, after)) = rest.split_once(&format!("<{name}")) {
            if !after.starts_with(['>', ' ']) {
                rest = after;
                continue;
            }
            let (element, after) = after.split_once(&format!("</{name}>")).expect("an end");
            rest = after;
            let (_, content) = element.split_once('>').expect("a tag");
            lines.push_str(&format!(" [{}]", text(content)));
        }
        lines.push('\n');
    }
    lines
}

/// An element's text.
fn text(content: &str) -> String {
    let mut text = String::new();
    for piece in content.split('<') {
        let shown = piece.split_once('>').map_or(piece, |(_, shown)| shown);
        if !shown.is_empty() && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(shown.trim());
    }
    text.trim().to_owned()
}

#[test]
fn an_afternoon_in_outline() {
    let (history, book) = kept(afternoon());
    let page = page_of(&history, &Filter::default());
    // For who wants to look at it, and to ask it.
    if let Some(directory) = std::env::var_os("HOSTNET_KEEP_PAGE").map(std::path::PathBuf::from) {
        std::fs::write(directory.join("page.html"), &page).expect("room");
        let copy = directory.join("history.db");
        hostnet::record::copy(&book.path(), &copy).expect("a place without one");
    }
    insta::assert_snapshot!(outline(&page));
}

#[test]
fn what_happened_is_on_the_page() {
    let (history, _book) = kept(afternoon());
    let page = page_of(&history, &Filter::default());
    for said in [
        "1 critical",
        "T1552.005",
        "Unsecured Credentials: Cloud Instance Metadata API",
        "reached the Docker API at 127.0.0.1:2375",
        "redis-server.service :6379",
        "host-loopback",
        "metadata",
        "no agent ran from",
        "0.0.0.0:9100",
        "all addresses",
        "privileged port",
        "4001",
        "10.0.0.9 → :9100",
        "chain not checked",
    ] {
        assert!(page.contains(said), "{said} is not on the page");
    }
}

#[test]
fn a_page_of_one_container_and_a_time_has_nothing_else() {
    let (history, _book) = kept(afternoon());
    let time = |second_of| Some(Time(second(second_of).cast_signed()));
    let filter = Filter {
        container: Some("node-exporter".to_owned()),
        since: time(0),
        until: time(500),
        ..Filter::default()
    };
    let page = page_of(&history, &filter);
    assert!(page.contains("node-exporter") && page.contains("only <bdi>node-exporter</bdi>"));
    for other in ["prober", "redis-server", "T1610", "2375"] {
        assert!(!page.contains(other), "{other} is on the page");
    }
    assert!(page.contains("no findings") && !page.contains("no agent ran from"));
}

#[test]
fn what_was_lost_is_a_gap_and_no_longer_complete() {
    let mut book = afternoon();
    let until = second(2000);
    book.tell(lost(second(3410), second(3420)));
    let filter = Filter { until: Some(Time(until.cast_signed())), ..Filter::default() };
    let (history, _book) = kept(book);
    assert!(!page_of(&history, &filter).contains("records lost"));
    let page = page_of(&history, &Filter::default());
    assert!(page.contains("0 records lost in 10.0 s (ring)"));
    assert!(page.contains("not complete") && !page.contains("record complete"));
}

#[test]
fn an_empty_time_is_said_to_be_one() {
    let (history, _book) = kept(afternoon());
    let filter = Filter { until: Some(Time(5)), ..Filter::default() };
    let error = hostnet::report::gather(&history, &filter, hostnet::report::Origin::default());
    assert!(error.unwrap_err().to_string().contains("no events in that time"));
}
