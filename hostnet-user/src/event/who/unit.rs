//! The systemd unit that a cgroup is of.

/// The outermost unit below its slices, as systemd itself reads a path
/// (`cg_path_get_unit`): what is below a unit is that unit's own to name. `None`
/// when systemd did not make the cgroup.
#[must_use]
pub fn unit(cgroup_path: &str) -> Option<&str> {
    let name = cgroup_path.split('/').skip(1).find(|name| !name.ends_with(".slice"))?;
    // Names that cgroupfs has a meaning for are escaped.
    let name = name.strip_prefix('_').unwrap_or(name);
    let (_, kind) = name.rsplit_once('.')?;
    matches!(kind, "service" | "scope" | "socket" | "mount" | "swap").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::unit;

    #[test]
    fn the_outermost_unit() {
        let rows = [
            ("/system.slice/redis-server.service", Some("redis-server.service")),
            (
                "/system.slice/system-postgresql.slice/postgresql@15-main.service/x",
                Some("postgresql@15-main.service"),
            ),
            ("/user.slice/user-0.slice/session-3.scope", Some("session-3.scope")),
            (
                "/user.slice/user-0.slice/user@0.service/app.slice/redis.service",
                Some("user@0.service"),
            ),
            ("/init.scope", Some("init.scope")),
            ("/system.slice/_memory.service", Some("memory.service")),
            ("/system.slice", None),
            ("/mine/redis-server.service", None),
            ("/", None),
            ("", None),
        ];
        for (path, expected) in rows {
            assert_eq!(unit(path), expected, "{path}");
        }
    }
}
