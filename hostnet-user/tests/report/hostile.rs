//! Names that want to be more than names, and histories that want to be long pages.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hostnet::{
    event::{Outcome, Severity, Surface},
    query::Filter,
    text::is_unsafe,
};
use sha2::{Digest, Sha256};

use crate::{
    acts::{self, TCP},
    story::{container, finding, kept, page_of, rule, somebody, visit},
    support::{Book, second},
};

/// What somebody may call a container, a program or an image.
pub const NAMES: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title></bdi></svg><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "&lt;script&gt; &amp; &#x3c;b&#x3e;",
    "javascript:alert(1)",
    "gpj.\u{202e}sh\u{2066}.exe",
    "two\nlines\r\tand\u{1b}[31m",
    "\u{feff}zero\u{200b}width\0",
];

/// Elements and attributes that a page is made of.
const ELEMENTS: [&str; 47] = [
    "html", "head", "meta", "title", "style", "body", "header", "div", "h1", "h2", "h3", "small",
    "p", "nav", "ul", "li", "a", "b", "main", "section", "span", "table", "thead", "tbody", "tr",
    "th", "td", "time", "bdi", "code", "details", "summary", "dl", "dt", "dd", "br", "ol", "svg",
    "text", "rect", "line", "path", "i", "footer", "!DOCTYPE", "g", "pre",
];
const ATTRIBUTES: [&str; 34] = [
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "href",
    "id",
    "title",
    "datetime",
    "colspan",
    "open",
    "viewBox",
    "role",
    "aria-label",
    "x",
    "y",
    "x1",
    "x2",
    "y1",
    "y2",
    "width",
    "height",
    "d",
    "text-anchor",
    "html",
    "data-x",
    "scope",
    "dir",
    "rowspan",
    "headers",
    "abbr",
    "start",
    "value",
];

/// Reads a page as a browser does and checks that it is made of nothing else.
fn check(page: &str) {
    let (before, rest) = page.split_once("<style>").expect("a style");
    let (style, after) = rest.split_once("</style>").expect("its end");
    let hash = STANDARD.encode(Sha256::digest(style));
    assert!(
        before.contains(&format!("style-src &#39;sha256-{hash}&#39;"))
            || before.contains(&format!("style-src 'sha256-{hash}'")),
        "{before}"
    );
    assert!(before.contains("default-src 'none'") || before.contains("default-src &#39;none&#39;"));
    assert!(!after.contains("<style"));
    for part in [before, after] {
        assert!(!part.chars().any(is_unsafe), "something that is not seen");
        let mut rest = part;
        while let Some((_, tag)) = rest.split_once('<') {
            rest = element(tag);
        }
    }
}

/// One tag; what is after it.
fn element(tag: &str) -> &str {
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    let end = tag.find([' ', '>']).expect("an end of the name");
    let (name, mut rest) = tag.split_at(end);
    assert!(ELEMENTS.contains(&name), "an element {name:?}");
    while let Some(attribute) = rest.strip_prefix(' ') {
        let end = attribute.find(['=', ' ', '>']).expect("an end of the attribute");
        let (name, after) = attribute.split_at(end);
        assert!(ATTRIBUTES.contains(&name), "an attribute {name:?}");
        rest = after;
        if let Some(value) = rest.strip_prefix("=\"") {
            let (value, after) = value.split_once('"').expect("an end of the value");
            assert!(name != "href" || value.starts_with('#'), "a link to {value}");
            rest = after;
        }
    }
    rest.strip_prefix('>').expect("nothing else in a tag")
}

fn hostile() -> Book {
    let mut book = Book::new();
    book.start(second(0));
    let long = "long".repeat(16 << 10);
    let names = NAMES.iter().copied().chain([long.as_str()]);
    for (number, name) in names.enumerate() {
        let at = second(10 + number as u64);
        let by = container(number as u32, name, name, name);
        book.life(at, &by, acts::joined());
        book.life(at, &by, acts::exec());
        let local = ([0, 0, 0, 0], 8000 + number as u16).into();
        let socket = acts::socket(number as u64 + 1, TCP, local);
        book.act(at, &by, socket, acts::listen(local));
        let remote = (([10, 0, 0, 1], 80).into(), Surface::Lan);
        let cookie = 1000 + number as u64;
        visit(&mut book, (at, cookie), &by, remote, Some(&by), Outcome::Success);
        let rule = rule("hostile", "Hostile", ("T1036", "Masquerading"));
        book.tell(finding(at, &by, &rule, Severity::High, name));
    }
    book
}

#[test]
fn names_are_text_wherever_they_are() {
    let (history, _book) = kept(hostile());
    let page = page_of(&history, &Filter::default());
    check(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("gpj.\\u{202e}sh\\u{2066}.exe"));
    assert!(page.contains("two\\nlines\\r\\tand\\x1b[31m"));
    assert!(page.contains("more bytes)"), "what is long is cut");
    assert!(page.len() < 512 << 10, "{} bytes", page.len());
}

#[test]
fn the_check_finds_what_it_is_for() {
    let (history, _book) = kept(hostile());
    let page = page_of(&history, &Filter::default());
    for bad in ["<script>", "<b onclick=\"x\">", "<a href=\"https://example.com\">", "\u{202e}"] {
        let spoilt = page.replacen("</main>", &format!("{bad}</main>"), 1);
        assert!(std::panic::catch_unwind(|| check(&spoilt)).is_err(), "{bad}");
    }
}

#[test]
fn a_page_does_not_grow_with_its_history() {
    let mut book = Book::new();
    book.start(second(0));
    let rules: Vec<_> = (0..3).map(|_| rule("many", "Many", ("T1046", "Discovery"))).collect();
    let padding = "n".repeat(500);
    for number in 0..600_u32 {
        let mut by = somebody(number);
        if number % 2 == 0 {
            by = container(number, &format!("{number}-{padding}"), &padding, "host");
        }
        for turn in 0..12_u32 {
            let at = second(u64::from(number * 12 + turn));
            let cookie = u64::from(number * 12 + turn) + 1;
            let port = 1024 + (cookie % 60_000) as u16;
            let remote =
                (([10, (number % 250) as u8, 0, turn as u8], port).into(), Surface::Private);
            visit(&mut book, (at, cookie), &by, remote, None, Outcome::Success);
            let local = ([0, 0, 0, 0], port).into();
            book.act(at, &by, acts::socket(1 << 32 | cookie, TCP, local), acts::listen(local));
            book.life(at, &by, acts::exec());
            let rule = &rules[turn as usize % rules.len()];
            book.tell(finding(at, &by, rule, Severity::Medium, &padding));
        }
    }
    let (history, _book) = kept(book);
    let page = page_of(&history, &Filter::default());
    check(&page);
    assert!(page.len() < 3 << 20, "{} bytes", page.len());
    for said in [
        "more containers are not",
        "more addresses are not",
        "more listeners are not",
        "more of this rule are not",
    ] {
        assert!(page.contains(said), "{said}");
    }
}
