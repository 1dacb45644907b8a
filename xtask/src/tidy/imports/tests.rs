use super::{
    super::{File, Finding},
    check,
    circles::{Arrows, circles},
    code::{tokens, without_tests},
    paths::Source,
};

/// What is said of a tree of these files.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let file = |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
    let files: Vec<File> = files.iter().map(file).collect();
    check(&files).iter().map(Finding::to_string).collect()
}

/// What is said of a crate of two modules with this code, and a root with that.
fn of_two(root: &str, one: &str, two: &str) -> Vec<String> {
    let root = format!("mod one;\nmod two;\n{root}");
    found(&[("a/src/lib.rs", &root), ("a/src/one.rs", one), ("a/src/two.rs", two)])
}

#[test]
fn comments_and_literals_have_no_names() {
    let code =
        "a // b\n/* c /* d */ e */ f \"g \\\" h\" 'i' '\\'' 'j r#\"k\" l\"# b\"m\" br\"n\" o::p";
    let texts: Vec<_> = tokens(code).into_iter().map(|token| token.text).collect();
    let names = ["a", "f", "\"g \\\" h\"", "'i'", "'\\''", "'", "j"];
    let others = ["r#\"k\" l\"#", "b\"m\"", "br\"n\"", "o", "::", "p"];
    assert_eq!(texts, [&names[..], &others[..]].concat());
    assert_eq!(tokens("a\n/*\n*/ \"\n\" b").last().map(|token| token.line), Some(4));
}

#[test]
fn what_only_tests_have_is_left_out() {
    for code in [
        "#[cfg(test)]\nmod tests { use x; fn f() { {} } }",
        "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;",
        "#[cfg(all(test, unix))]\nuse x::{y, z};",
        "#[cfg(test)]\npub fn f(x: [u8; 3]) -> u8 { 1 }",
    ] {
        let code = format!("{code}\nmod kept;");
        let kept = without_tests(&tokens(&code));
        let texts: Vec<_> = kept.into_iter().map(|token| token.text).collect();
        assert!(texts.ends_with(&["mod", "kept", ";"]) && texts.len() <= 4, "{code}: {texts:?}");
    }
    assert_eq!(without_tests(&tokens("#[cfg(not(test))]\nuse x;")).len(), 13);
}

#[test]
fn imports_and_paths_are_read() {
    let source = Source::of(
        "pub(crate) use crate::{a::{self, B as C, D}, e::*};\nuse super::f;\n\
         mod g { fn h() { super::i::j(); k::<l::M>() } }\nmod n;\npub struct O(p::q::R);",
    );
    let read: Vec<_> = source
        .paths
        .iter()
        .map(|path| (path.segments.join("::"), path.name.as_deref(), path.line, path.inside))
        .collect();
    let expected = [
        ("crate::a", Some("a"), 1, 0),
        ("crate::a::B", Some("C"), 1, 0),
        ("crate::a::D", Some("D"), 1, 0),
        ("crate::e", Some("*"), 1, 0),
        ("super::f", Some("f"), 2, 0),
        ("super::i::j", None, 3, 1),
        ("k", None, 3, 1),
        ("l::M", None, 3, 1),
        ("p::q::R", None, 5, 0),
    ];
    assert_eq!(read, expected.map(|(path, name, line, inside)| (path.into(), name, line, inside)));
    assert_eq!(source.modules, ["n"]);
    assert!(source.defined.iter().eq(["O", "g"]), "{:?}", source.defined);
}

#[test]
fn circles_are_found_with_a_way_around() {
    let arrows = |pairs: &[(&'static str, &'static str)]| {
        let mut arrows = Arrows::new();
        for &(from, to) in pairs {
            arrows.entry(from).or_default().insert(to);
        }
        arrows
    };
    assert!(circles(&arrows(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    let pairs =
        [("a", "b"), ("b", "c"), ("c", "a"), ("c", "b"), ("c", "d"), ("x", "y"), ("y", "x")];
    let found = circles(&arrows(&pairs));
    let ways: Vec<_> = found.iter().map(|circle| circle.way.as_slice()).collect();
    assert_eq!(ways, [&["a", "b", "c"][..], &["x", "y"]]);
    assert!(found[0].members.iter().eq(&["a", "b", "c"]));
}

#[test]
fn files_that_use_each_other_are_a_circle() {
    let expected = ["a/src: one, two are in a circle: a/src/one.rs:2 uses two (crate::two::B); \
         a/src/two.rs:1 uses one (super::one::f)"];
    assert_eq!(
        of_two("", "\nuse crate::two::B;\npub fn f() {}", "struct B(super::one::f);"),
        expected
    );
    assert_eq!(of_two("", "use crate::two::B;", "struct B;"), [""; 0]);
    assert_eq!(of_two("", "use crate::two::B;", "/// crate::one::f\nstruct B;"), [""; 0]);
}

#[test]
fn what_is_passed_on_is_used_where_it_is() {
    for root in ["pub use one::f;", "pub use one::*;", "use one as it;\npub use it::f;"] {
        let found = of_two(root, "use crate::two::B;\npub fn f() {}", "use crate::f;\nstruct B;");
        assert_eq!(found.len(), 1, "{root}: {found:?}");
    }
    // It is the root's own.
    let found = of_two("pub fn f() {}", "use crate::two::B;", "use crate::f;\nstruct B;");
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_folder_and_what_is_in_it_are_no_circle() {
    let files = [
        ("a/src/lib.rs", "mod one;"),
        ("a/src/one/mod.rs", "mod part;\nuse part::P;\npub struct Own;"),
        ("a/src/one/part.rs", "use super::Own;\npub struct P;"),
    ];
    assert_eq!(found(&files), [""; 0]);
}

#[test]
fn a_folder_is_one_with_what_is_in_it() {
    let files = [
        ("a/src/main.rs", "mod one;\nmod two;"),
        ("a/src/one/mod.rs", "mod deep;\nmod other;"),
        ("a/src/one/deep.rs", "use crate::two::B;"),
        ("a/src/one/other.rs", "pub struct C;"),
        ("a/src/two.rs", "use crate::one::other::C;\npub struct B;"),
    ];
    assert_eq!(found(&files).len(), 1, "{:?}", found(&files));
}

#[test]
fn modules_that_a_macro_declares_are_looked_at() {
    let list = "macro_rules! all { ($($name:ident)*) => { $(mod $name; pub use $name::*;)* } }";
    let files = [
        ("a/src/lib.rs", "mod list;\nall! { one two }\n#[cfg(test)]\nmod three;"),
        ("a/src/list.rs", list),
        ("a/src/one.rs", "use crate::two::B;\npub fn f() {}"),
        ("a/src/two.rs", "struct B(crate::f);"),
        ("a/src/three.rs", "use crate::one::f;"),
    ];
    assert_eq!(found(&files).len(), 1, "{:?}", found(&files));
}

#[test]
fn tests_may_use_whatever_they_test() {
    let two = "struct B;\n#[cfg(test)]\nmod tests { use crate::one::f; }";
    assert_eq!(of_two("", "use crate::two::B;\npub fn f() {}", two), [""; 0]);
    let two = "struct B;\nmod inner { use super::B; }";
    assert_eq!(of_two("", "use crate::two::B;\npub fn f() {}", two), [""; 0]);
}

#[test]
fn layers_are_used_downwards() {
    let with = |drawing: &str| {
        let page = format!("# Architecture\n\n```layers a/src\n{drawing}\n```\n\none\n");
        found(&[
            ("ARCHITECTURE.md", &page),
            ("a/src/lib.rs", "mod one;\nmod two;"),
            ("a/src/one.rs", "\nuse crate::two::B;"),
            ("a/src/two.rs", "struct B;"),
        ])
    };
    assert_eq!(with("one\ntwo"), [""; 0]);
    let upwards =
        ["a/src/one.rs:2: uses crate::two::B, but two is not below one (ARCHITECTURE.md)"];
    assert_eq!(with("two\none"), upwards);
    assert_eq!(with("one two"), upwards);
    assert_eq!(with("one"), ["ARCHITECTURE.md: does not draw a/src/two"]);
    let gone = "ARCHITECTURE.md:6: draws a/src/three, which is not there";
    assert_eq!(with("one\ntwo\nthree"), [gone]);
    assert_eq!(with("one\ntwo two"), ["ARCHITECTURE.md:5: draws two of a/src twice"]);
}

#[test]
fn the_agent_and_its_programs_have_layers() {
    let files =
        [("hostnet-ebpf/src/main.rs", "mod one;"), ("hostnet-ebpf/src/one.rs", "struct B;")];
    let expected = ["ARCHITECTURE.md: does not draw the layers of hostnet-ebpf/src"];
    assert_eq!(found(&files), expected);
}
