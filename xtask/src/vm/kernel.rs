//! Debian's cloud kernels: the newest of a series, fetched once and kept.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::apt::Apt;

/// A kernel and its modules, unpacked.
#[derive(Clone)]
pub struct Kernel {
    /// What was asked for: `6.12`.
    pub series: String,
    /// The kernel's own name: `6.12.117+deb13-cloud-amd64`.
    pub release: String,
    /// What QEMU boots.
    pub image: PathBuf,
    /// The directory with `kernel/` and `modules.*` in it.
    pub modules: PathBuf,
}

const FLAVOUR: &str = "-cloud-amd64";

/// Fetches the newest kernel of each series that is not there yet. With `fresh`,
/// looks for a newer one first.
pub fn fetch(series: &[String], cache: &Path, fresh: bool) -> Result<Vec<Kernel>> {
    let missing = |series: &&String| fresh || kept(series, cache).is_none();
    let wanted: Vec<&String> = series.iter().filter(missing).collect();
    if !wanted.is_empty() {
        let apt = Apt::open(&cache.join("apt"))?;
        apt.update()?;
        for series in wanted {
            fetch_one(&apt, series, cache)?;
        }
    }
    let found = series.iter().map(|series| {
        kept(series, cache).with_context(|| format!("the kernel {series} is not there after all"))
    });
    found.collect()
}

fn directory(series: &str, cache: &Path) -> PathBuf {
    cache.join("kernels").join(series)
}

/// The kernel of a series that is there already.
fn kept(series: &str, cache: &Path) -> Option<Kernel> {
    let directory = directory(series, cache);
    // From 7.0 on the package of an image has it beside the modules.
    let modules = ["lib/modules", "usr/lib/modules"].map(|place| directory.join(place));
    let modules = modules.iter().find_map(|place| fs::read_dir(place).ok()?.next()?.ok())?.path();
    let release = modules.file_name()?.to_str()?.to_owned();
    let images = [directory.join(format!("boot/vmlinuz-{release}")), modules.join("vmlinuz")];
    let image = images.into_iter().find(|path| path.exists())?;
    Some(Kernel { series: series.to_owned(), release, image, modules })
}

fn fetch_one(apt: &Apt, series: &str, cache: &Path) -> Result<()> {
    let pattern = format!(r"^linux-(image|binary)-{}\.[0-9a-z.+-]*{FLAVOUR}$", escaped(series));
    let names = apt.search(&pattern)?;
    let Some(release) = newest(&names) else {
        bail!("Debian has no kernel {series} (looked for {pattern})");
    };
    let directory = directory(series, cache);
    if kept(series, cache).is_some_and(|kept| kept.release == release) {
        return Ok(());
    }
    let packages = if names.contains(&format!("linux-binary-{release}")) {
        vec![format!("linux-binary-{release}"), format!("linux-modules-{release}")]
    } else {
        vec![format!("linux-image-{release}")]
    };
    // Half a kernel must not be taken for a whole one by the next run.
    let partial = cache.join("kernels").join(format!("{series}.partial"));
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial)?;
    apt.unpack(&packages, &partial)?;
    let _ = fs::remove_dir_all(&directory);
    fs::rename(&partial, &directory)
        .with_context(|| format!("cannot move {} into place", partial.display()))
}

fn escaped(series: &str) -> String {
    series.replace('.', r"\.")
}

/// The release of the newest package, by the numbers in its name.
fn newest(names: &[String]) -> Option<String> {
    let releases = names.iter().filter_map(|name| {
        name.strip_prefix("linux-image-").or_else(|| name.strip_prefix("linux-binary-"))
    });
    releases.max_by_key(|release| numbers(release)).map(str::to_owned)
}

/// The numbers in a name, by which kernels are ordered.
pub fn numbers(release: &str) -> Vec<u32> {
    let release = release.strip_suffix(FLAVOUR).unwrap_or(release);
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_found_by_number() {
        let name = |release: &str| format!("linux-image-{release}-cloud-amd64");
        let names = ["6.12.94+deb13", "6.12.117+deb12", "6.12.117+deb13", "6.12.9+deb13"];
        let found = newest(&names.map(name));
        assert_eq!(found.as_deref(), Some("6.12.117+deb13-cloud-amd64"));
        let names = ["6.1.0-0.deb11.52", "6.1.0-56", "6.1.0-47"];
        assert_eq!(newest(&names.map(name)).as_deref(), Some("6.1.0-56-cloud-amd64"));
    }
}
