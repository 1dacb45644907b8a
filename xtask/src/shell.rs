//! Running other programs: one way to start them, to say so, and to fail.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The checkout. Cargo says where this package is when it starts the task, which
/// stays right when the checkout has been moved since the task was compiled.
pub fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), Path::to_path_buf)
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that started this task, to be run in the checkout.
pub fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// A program to be run in the checkout. What `cargo run` adds to the library
/// path is for this task alone: another compiler must not find its libraries.
pub fn command(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    command.current_dir(root()).env_remove("LD_LIBRARY_PATH");
    command
}

/// Says what is run, runs it, and fails when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    if !succeeds(command)? {
        bail!("`{}` failed", shown(command));
    }
    Ok(())
}

/// Says what is run, runs it, and tells whether it succeeded.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    eprintln!("$ {}", shown(command));
    let status =
        command.status().with_context(|| format!("`{}` could not be started", shown(command)))?;
    Ok(status.success())
}

/// The standard output of a program that must succeed, trimmed.
pub fn capture(command: &mut Command) -> Result<String> {
    let output =
        command.output().with_context(|| format!("`{}` could not be started", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", shown(command), output.stderr.escape_ascii());
    }
    let text = String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something that is not UTF-8", shown(command)))?;
    Ok(text.trim().to_owned())
}

/// A command line as a person would type it, without its environment.
pub fn shown(command: &Command) -> String {
    let program = command.get_program();
    let name = Path::new(program).file_name().unwrap_or(program).display().to_string();
    command.get_args().fold(name, |line, word| {
        let word = word.display().to_string();
        let quoted =
            word.is_empty() || word.contains(|c: char| c.is_whitespace() || "'\"$&;|*".contains(c));
        if quoted {
            format!("{line} '{}'", word.replace('\'', r"'\''"))
        } else {
            line + " " + &word
        }
    })
}

/// A program by its name: on PATH, where cargo installs, or where only root looks.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([cargo_home().join("bin"), "/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

/// Where cargo keeps registries and installed programs.
pub fn cargo_home() -> PathBuf {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| env::home_dir().unwrap_or_else(|| PathBuf::from("/")).join(".cargo"))
}

/// A process owns its entry in /proc: that is the effective user, without a libc.
pub fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|meta| meta.uid() == 0)
}

/// The triple that the compiler builds for by itself.
pub fn host_triple() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let verbose = capture(command(rustc).arg("-vV"))?;
    verbose
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("`rustc -vV` names no host, so the target of a static build is not known")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/usr/bin/printf");
        command.args(["%s", "two words", "it's", ""]);
        assert_eq!(shown(&command), r"printf %s 'two words' 'it'\''s' ''");
    }
}
