//! Whose a machine is that is registered with systemd-machined, or that libvirt made:
//! nspawn's, a container of libvirt's, or a virtual machine, which is no container. It
//! reads names, as `path` does.

use super::claim::{Claim, Runtime};

/// The machine of `machine-<name>.scope` or `systemd-nspawn@<name>.service`.
pub fn named(part: &str) -> Option<&str> {
    let name = match part.strip_prefix("systemd-nspawn@") {
        Some(instance) => instance.strip_suffix(".service"),
        None => part.strip_prefix("machine-").and_then(|rest| rest.strip_suffix(".scope")),
    }?;
    (!name.is_empty()).then_some(name)
}

/// Drivers of libvirt whose machines are virtual ones.
const VIRTUAL: [&str; 4] = ["qemu", "ch", "xen", "bhyve"];

/// Whose a machine of systemd-machined is. libvirt calls its own `DRIVER-ID-NAME`, and
/// before 1.3.3 `DRIVER-NAME`; only its containers are containers.
pub fn claim(machine: &str, is_libvirt: bool) -> Option<Claim<'_>> {
    let escaped = "\\x2d";
    let is_virtual = |driver: &&str| libvirt_name(machine, driver, escaped).is_some();
    if VIRTUAL.iter().any(is_virtual) || machine.starts_with("qemu\\x2d") {
        return None;
    }
    let older = || machine.strip_prefix("lxc\\x2d").filter(|_| is_libvirt);
    Some(match libvirt_name(machine, "lxc", escaped).or_else(older) {
        Some(name) if !name.is_empty() => Claim::certain(name, Runtime::LibvirtLxc),
        _ => Claim::certain(machine, Runtime::Nspawn),
    })
}

/// The name in `DRIVER-ID-NAME`.
pub fn libvirt_name<'a>(machine: &'a str, driver: &str, dash: &str) -> Option<&'a str> {
    let (id, name) = machine.strip_prefix(driver)?.strip_prefix(dash)?.split_once(dash)?;
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    (is_id && !name.is_empty()).then_some(name)
}
