//! Kernel modules by name, with those they need, in the order to load them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::kernel::Kernel;
use super::tree::Tree;
use crate::shell;

/// The modules of one kernel.
pub struct Modules(BTreeMap<String, PathBuf>);

impl Modules {
    /// Finds the files of a kernel's modules.
    pub fn of(kernel: &Kernel) -> Result<Self> {
        let mut found = BTreeMap::new();
        find(&kernel.modules.join("kernel"), &mut found)
            .with_context(|| format!("cannot list {}", kernel.modules.display()))?;
        Ok(Self(found))
    }

    /// Puts modules into a tree, and returns their paths in the order to load
    /// them. What this kernel has built in, or does not have, is left out.
    pub fn add_to(&self, tree: &mut Tree, names: &[&str]) -> Result<Vec<String>> {
        let mut order = Vec::new();
        for name in names {
            self.add(tree, name, &mut order)?;
        }
        Ok(order)
    }

    fn add(&self, tree: &mut Tree, name: &str, order: &mut Vec<String>) -> Result<()> {
        let target = format!("/modules/{name}.ko");
        let Some(path) = self.0.get(name).filter(|_| !order.contains(&target)) else {
            return Ok(());
        };
        let bytes = unpacked(path)?;
        for needed in needed(&bytes) {
            self.add(tree, &needed, order)?;
        }
        tree.file(&target, bytes);
        order.push(target);
        Ok(())
    }
}

fn find(directory: &Path, found: &mut BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else if let Some((name, _)) =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once(".ko"))
        {
            found.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(path).with_context(|| format!("cannot read {}", path.display())),
    };
    let output = shell::command(program)
        .arg("-dc")
        .arg(path)
        .output()
        .with_context(|| format!("{program} cannot be started"))?;
    if !output.status.success() {
        bail!("{program} cannot unpack {}: {}", path.display(), output.stderr.escape_ascii());
    }
    Ok(output.stdout)
}

/// The names in a module's `depends=`.
fn needed(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = memchr::memmem::find(module, KEY) else { return Vec::new() };
    let value = module[at + KEY.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let names = value.split(|byte| *byte == b',').filter_map(|name| str::from_utf8(name).ok());
    names.filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn a_module_says_what_it_needs() {
        assert_eq!(needed(b"x\0license=GPL\0depends=llc,stp\0name=bridge\0"), ["llc", "stp"]);
        assert_eq!(needed(b"license=GPL\0depends=\0"), [""; 0]);
    }
}
