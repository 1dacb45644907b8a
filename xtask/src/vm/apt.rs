//! Debian packages of other releases, fetched into a directory of ours: the
//! machine's own package lists and packages are neither read nor changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Archive, suite.
const SOURCES: &[(&str, &str)] = &[
    ("debian-security", "bullseye-security"),
    ("debian", "bookworm"),
    ("debian-security", "bookworm-security"),
    ("debian", "trixie"),
    ("debian-security", "trixie-security"),
    ("debian", "trixie-backports"),
];

/// apt with a configuration of its own.
pub struct Apt {
    directory: PathBuf,
}

impl Apt {
    /// Prepares the directory; what was fetched before is still there.
    pub fn open(directory: &Path) -> Result<Self> {
        let apt = Self { directory: directory.to_owned() };
        for name in ["lists/partial", "cache/archives/partial"] {
            let path = directory.join(name);
            fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
        }
        let lines: String = SOURCES
            .iter()
            .map(|(archive, suite)| {
                format!("deb [signed-by={KEYS}] http://deb.debian.org/{archive} {suite} main\n")
            })
            .collect();
        fs::write(directory.join("sources.list"), lines)
            .and_then(|()| fs::write(directory.join("status"), ""))
            .with_context(|| format!("cannot write to {}", directory.display()))?;
        Ok(apt)
    }

    /// Fetches the package lists.
    pub fn update(&self) -> Result<()> {
        shell::run(self.command("apt-get").args(["-q", "update"]))
    }

    /// The names that a pattern finds.
    pub fn search(&self, pattern: &str) -> Result<Vec<String>> {
        let found =
            shell::capture(self.command("apt-cache").args(["search", "--names-only", pattern]))?;
        let names = found.lines().filter_map(|line| line.split_once(" - "));
        Ok(names.map(|(name, _)| name.to_owned()).collect())
    }

    /// Fetches packages and unpacks their files into `target`.
    pub fn unpack(&self, names: &[String], target: &Path) -> Result<()> {
        let packages = self.directory.join("packages");
        let _ = fs::remove_dir_all(&packages);
        fs::create_dir_all(&packages)
            .with_context(|| format!("cannot create {}", packages.display()))?;
        shell::run(
            self.command("apt-get").args(["-q", "download"]).args(names).current_dir(&packages),
        )?;
        let mut unpacked = 0;
        for entry in fs::read_dir(&packages)? {
            let mut dpkg = shell::command("dpkg-deb");
            shell::run(dpkg.arg("--extract").arg(entry?.path()).arg(target))?;
            unpacked += 1;
        }
        if unpacked != names.len() {
            bail!("{unpacked} of {} packages came: {}", names.len(), names.join(", "));
        }
        fs::remove_dir_all(&packages)?;
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let path = |name: &str| self.directory.join(name).display().to_string();
        let options = [
            ("Dir::Etc::sourcelist", path("sources.list")),
            ("Dir::Etc::sourceparts", "-".to_owned()),
            ("Dir::State::lists", path("lists")),
            ("Dir::State::status", path("status")),
            ("Dir::Cache", path("cache")),
            ("APT::Architecture", "amd64".to_owned()),
            ("APT::Sandbox::User", "root".to_owned()),
            ("Acquire::Languages", "none".to_owned()),
        ];
        let mut command = shell::command(program);
        for (name, value) in options {
            command.arg("-o").arg(format!("{name}={value}"));
        }
        command
    }
}
