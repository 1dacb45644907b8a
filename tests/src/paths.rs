//! Where the programs under test are, and where their output is kept.

use std::{env, path::PathBuf};

/// A program of this package, built beside the test that runs.
pub fn program(name: &str) -> PathBuf {
    if let Some(path) = env::var_os(format!("CARGO_BIN_EXE_{name}")) {
        return path.into();
    }
    let path = profile_directory().join(name);
    assert!(path.exists(), "{} is not built", path.display());
    path
}

/// The agent: `$HOSTNET_BIN`, or the one built beside the tests.
pub fn hostnet() -> PathBuf {
    let path = env::var_os("HOSTNET_BIN")
        .map_or_else(|| profile_directory().join("hostnet"), PathBuf::from);
    assert!(
        path.exists(),
        "{} does not exist; build hostnet with the tests' profile and target, or set HOSTNET_BIN",
        path.display()
    );
    path
}

/// Where every run's output goes for the ECS validator.
pub fn events_directory() -> PathBuf {
    if let Some(path) = env::var_os("HOSTNET_EVENTS_DIR") {
        return path.into();
    }
    let profile = profile_directory();
    let target = profile.ancestors().find(|path| path.ends_with("target"));
    target.unwrap_or(&profile).join("live-events")
}

/// Where `cargo xtask test` puts the Python packages that tests need.
pub fn python_packages() -> PathBuf {
    let profile = profile_directory();
    let target = profile.ancestors().find(|path| path.ends_with("target"));
    target.unwrap_or(&profile).join("python")
}

/// `target/…/release`: programs are in it, test programs in its `deps`.
fn profile_directory() -> PathBuf {
    let own = env::current_exe().expect("/proc is mounted");
    let directory = own.parent().expect("a program is in a directory");
    if directory.ends_with("deps") {
        return directory.parent().expect("deps is in target/PROFILE").to_owned();
    }
    directory.to_owned()
}
