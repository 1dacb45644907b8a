//! The committed object must be what the sources beside it build to. Building
//! it takes a toolchain that most machines lack; comparing hashes takes none.

use std::fs;
use std::path::Path;

#[path = "../../xtask/src/ebpf/sources.rs"]
mod sources;

const REMEDY: &str = "run cargo xtask ebpf";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn recorded(key: &str) -> String {
    let path = root().join(sources::PROVENANCE);
    let text = fs::read(&path)
        .unwrap_or_else(|error| panic!("{} could not be read: {error}; {REMEDY}", path.display()));
    let json: serde_json::Value = serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{} is no JSON: {error}; {REMEDY}", path.display()));
    json[key]
        .as_str()
        .unwrap_or_else(|| panic!("{} has no {key}; {REMEDY}", path.display()))
        .to_owned()
}

#[test]
fn the_object_was_built_from_these_sources() {
    let sources = sources::sources_sha256(root()).unwrap();
    assert!(
        sources == recorded("sources_sha256"),
        "the eBPF sources have changed since {} was built; {REMEDY}",
        sources::OBJECT
    );
}

#[test]
fn the_object_is_the_recorded_one() {
    let object = fs::read(root().join(sources::OBJECT)).unwrap();
    assert!(
        sources::sha256_hex(&object) == recorded("object_sha256"),
        "{} is not the object that its provenance describes; {REMEDY}",
        sources::OBJECT
    );
}
