//! The kernel itself: release, type information, and the settings that bear on eBPF.

use std::{fs, io::ErrorKind, path::Path};

use hostnet_abi::{Hook, Offsets, Set};

use super::{Args, Check};
use crate::{
    kernel::{Btf, BtfError, btf_path, release as version},
    text,
};

/// From here on every promise holds.
const FULL: (u32, u32) = (6, 1);

pub fn release(_: &Args) -> Check {
    let name = rustix::system::uname();
    let release = text::text(name.release().to_bytes()).readable;
    let machine = text::text(name.machine().to_bytes()).readable;
    judge_release(&release, &machine)
}

fn judge_release(release: &str, machine: &str) -> Check {
    const NAME: &str = "kernel";
    let always = Hook::ALL.iter().filter(|hook| matches!(hook.set(), Set::Inet | Set::Life));
    let (least_major, least_minor) = always.map(|hook| hook.since()).min().unwrap_or(FULL);
    let (full_major, full_minor) = FULL;
    let advice = format!("use Linux {full_major}.{full_minor} or later");
    let found = format!("{release} on {machine}");
    if cfg!(target_endian = "big") {
        let finding = format!("{found}: the eBPF programs are little-endian");
        return Check::fail(NAME, finding, "use x86-64 or arm64");
    }
    let Some(version) = version(release) else {
        return Check::warn(NAME, format!("{found}: not a release that can be compared"), advice);
    };
    if version < (least_major, least_minor) {
        let finding = format!("{found}: older than {least_major}.{least_minor}");
        return Check::fail(NAME, finding, advice);
    }
    if version < FULL {
        let finding = format!("{found}: before {full_major}.{full_minor} coverage may be reduced");
        return Check::warn(NAME, finding, advice);
    }
    if !matches!(machine, "x86_64" | "aarch64") {
        let finding = format!("{found}: hostnet has not been tried on this architecture");
        return Check::warn(NAME, finding, "rely on the coverage below, or use x86-64 or arm64");
    }
    Check::ok(NAME, found)
}

pub fn type_information(_: &Args) -> Check {
    const NAME: &str = "BTF";
    let path = btf_path();
    let btf = match Btf::read(&path) {
        Ok(btf) => btf,
        Err(error) => {
            let is_default = std::env::var_os("HOSTNET_BTF").is_none();
            let advice = if is_default {
                "use a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian 11 and later have it), \
                 with sysfs mounted at /sys"
            } else {
                "unset HOSTNET_BTF, or let it name the BTF of the running kernel"
            };
            return Check::fail(NAME, error.to_string(), advice);
        }
    };
    let errors: Vec<BtfError> =
        Offsets::TABLE.iter().filter_map(|row| btf.offset_of_row(*row).err()).collect();
    let (count, path) = (Offsets::TABLE.len(), path.display());
    if errors.is_empty() {
        return Check::ok(NAME, format!("{path} has all {count} fields that are needed"));
    }
    let missing: Vec<String> = errors.iter().map(missing_field).collect();
    let finding =
        format!("{path} lacks {} of {count} fields: {}", missing.len(), missing.join(", "));
    Check::fail(
        NAME,
        finding,
        "use a release of hostnet that knows this kernel, or Linux 6.1 or later",
    )
}

fn missing_field(error: &BtfError) -> String {
    match error {
        BtfError::NoStruct(of) => format!("struct {of}"),
        BtfError::NoMember(of, member) => format!("{of}.{member}"),
        other => other.to_string(),
    }
}

pub fn lockdown(_: &Args) -> Check {
    const NAME: &str = "lockdown";
    let directory = Path::new("/sys/kernel/security");
    match fs::read_to_string(directory.join("lockdown")) {
        Ok(text) => judge_lockdown(chosen(&text)),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Check::ok(NAME, format!("not known: cannot read {}: {error}", directory.display()))
        }
        Err(_) => {
            let is_mounted = directory.read_dir().is_ok_and(|mut entries| entries.next().is_some());
            let unknown = "not known, because securityfs is not mounted; the hooks below tell";
            Check::ok(NAME, if is_mounted { "this kernel has none" } else { unknown })
        }
    }
}

fn judge_lockdown(mode: Option<&str>) -> Check {
    const NAME: &str = "lockdown";
    match mode {
        Some("none") => Check::ok(NAME, "none"),
        Some("integrity") => {
            Check::ok(NAME, "integrity, which takes nothing away that hostnet uses")
        }
        Some("confidentiality") => Check::warn(
            NAME,
            "confidentiality, which withholds the helpers with which most of hostnet's programs \
             read kernel memory; the kernel may refuse them (this is untested)",
            "boot with lockdown=integrity when hooks are refused below",
        ),
        other => Check::warn(
            NAME,
            format!("mode {:?}, which hostnet does not know", other.unwrap_or("")),
            "rely on the coverage below",
        ),
    }
}

/// The word in brackets: `none [integrity] confidentiality`.
fn chosen(text: &str) -> Option<&str> {
    text.split_ascii_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
}

pub fn compiler(_: &Args) -> Check {
    const NAME: &str = "BPF JIT";
    let path = "/proc/sys/net/core/bpf_jit_enable";
    let Ok(text) = fs::read_to_string(path) else {
        // The file is shown in the first network namespace only.
        return Check::ok(NAME, format!("not known: there is no {path} here"));
    };
    match text.trim() {
        "0" => Check::warn(
            NAME,
            "off: the kernel interprets the programs, which makes every socket operation slower",
            "sysctl net.core.bpf_jit_enable=1",
        ),
        "1" => Check::ok(NAME, "on"),
        other => Check::warn(
            NAME,
            format!("on with debugging ({other}): the kernel prints every program it compiles"),
            "sysctl net.core.bpf_jit_enable=1",
        ),
    }
}

pub fn unprivileged(_: &Args) -> Check {
    let setting = fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled");
    let is_allowed = setting.is_ok_and(|text| text.trim() == "0");
    let state = if is_allowed { "allowed, and may be turned off" } else { "off" };
    Check::ok("unprivileged BPF", format!("{state}; hostnet does not need it"))
}

pub fn ipv6(_: &Args) -> Check {
    let is_there = Path::new("/proc/net/if_inet6").exists();
    let setting = fs::read_to_string("/proc/sys/net/ipv6/conf/lo/disable_ipv6");
    let is_off = !is_there || setting.is_ok_and(|text| text.trim() == "1");
    let off = "off: its hooks are attached but cannot be proven";
    Check::ok("IPv6", if is_off { off } else { "on" })
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn how_old_a_kernel_may_be() {
        let status = |release| judge_release(release, "x86_64").status;
        assert_eq!(status("4.19.0"), Status::Fail);
        assert_eq!(status("5.9.0"), Status::Fail);
        assert_eq!(status("5.10.0-23-amd64"), Status::Warn);
        assert_eq!(status("5.15.0"), Status::Warn);
        assert_eq!(status("6.0.9"), Status::Warn);
        assert_eq!(status("6.1.0"), Status::Ok);
        assert_eq!(status("unknown"), Status::Warn);
        assert_eq!(judge_release("6.12.1", "riscv64").status, Status::Warn);
        assert_eq!(judge_release("6.12.1", "aarch64").status, Status::Ok);
    }

    #[test]
    fn lockdown_modes() {
        assert_eq!(chosen("none [integrity] confidentiality\n"), Some("integrity"));
        assert_eq!(chosen("[none] integrity confidentiality"), Some("none"));
        assert_eq!(chosen(""), None);
        assert_eq!(judge_lockdown(Some("none")).status, Status::Ok);
        assert_eq!(judge_lockdown(Some("integrity")).status, Status::Ok);
        assert_eq!(judge_lockdown(Some("confidentiality")).status, Status::Warn);
        assert_eq!(judge_lockdown(None).status, Status::Warn);
    }
}
