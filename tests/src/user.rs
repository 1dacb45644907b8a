//! A plain user, and what it starts.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use rustix::process::{Gid, Uid};

/// Somebody without any privilege.
pub struct User {
    pub uid: u32,
    gid: u32,
}

impl User {
    /// One who has ids to give to containers, where there is one; else `nobody`,
    /// whose containers have a single one.
    pub fn plain() -> Self {
        let with_ids = fs::read_to_string("/etc/subuid").unwrap_or_default();
        let has_tool = Path::new("/usr/bin/newuidmap").exists();
        let owners = with_ids.lines().filter_map(|line| line.split(':').next());
        let names = owners.filter(|_| has_tool).chain(["nobody"]);
        let mut users = names.filter_map(Self::of).filter(|user| user.uid != 0);
        users.next().expect("every machine has nobody")
    }

    fn of(name: &str) -> Option<Self> {
        let passwd = fs::read_to_string("/etc/passwd").expect("every machine has users");
        let is = |line: &&str| line.split(':').next() == Some(name);
        let mut words = passwd.lines().find(is)?.split(':').skip(2).map(str::parse);
        Some(Self { uid: words.next()?.ok()?, gid: words.next()?.ok()? })
    }

    /// Nobody, whatever ids there are for others.
    pub fn nobody() -> Self {
        Self::of("nobody").expect("every machine has nobody")
    }

    /// `program …` as this user, without any capability and without other groups.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &self.uid.to_string(), "--regid", &self.gid.to_string()]);
        command.args(["--clear-groups", "--", program]);
        command
    }

    /// Gives it a directory that nobody else may look into.
    pub fn takes(&self, directory: &Path) {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        rustix::fs::chown(directory, Some(uid), Some(gid)).expect("root may give it away");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("chmod");
    }
}
