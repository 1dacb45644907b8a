//! The little of ELF that is needed to tell whether stripping kept everything.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

/// Without these the loader refuses the object, or loads it without types.
const REQUIRED: &[&str] = &[".BTF", ".BTF.ext", ".symtab", "license"];
/// Either spelling of map definitions: BTF-defined, or the older fixed struct.
const MAPS: &[&str] = &[".maps", "maps"];

/// Fails unless `stripped` is `full` without its debugger information: every
/// other section kept, and all that the loader needs among them.
pub fn verify_stripped(full: &[u8], stripped: &[u8]) -> Result<()> {
    let is_debug = |name: &String| name.starts_with(".debug") || name.starts_with(".rel.debug");
    let kept = section_names(stripped).context("the stripped object")?;
    let expected: BTreeSet<String> = section_names(full)
        .context("the linked object")?
        .into_iter()
        .filter(|name| !is_debug(name))
        .collect();
    if kept != expected {
        let lost: Vec<_> = expected.difference(&kept).collect();
        let left: Vec<_> = kept.difference(&expected).collect();
        bail!("stripping lost the sections {lost:?} and left {left:?}");
    }
    for name in REQUIRED {
        if !kept.contains(*name) {
            bail!("the object has no {name} section; was it linked with --btf and debug = 2?");
        }
    }
    if !MAPS.iter().any(|name| kept.contains(*name)) {
        bail!("the object defines no maps: it has neither of the sections {MAPS:?}");
    }
    Ok(())
}

/// The names of all sections of a 64-bit little-endian ELF file.
fn section_names(elf: &[u8]) -> Result<BTreeSet<String>> {
    const ELF64_LITTLE_ENDIAN: &[u8] = b"\x7fELF\x02\x01";
    if !elf.starts_with(ELF64_LITTLE_ENDIAN) {
        bail!("is not a 64-bit little-endian ELF file");
    }
    let table = number(elf, 0x28, 8)?;
    let entry_size = number(elf, 0x3a, 2)?;
    let count = number(elf, 0x3c, 2)?;
    let names_index = number(elf, 0x3e, 2)?;
    let header = |index: usize| {
        index.checked_mul(entry_size).and_then(|at| at.checked_add(table)).context("overflows")
    };
    let names = number(elf, header(names_index)? + 0x18, 8)?;

    (1..count)
        .map(|index| {
            let name = names.saturating_add(number(elf, header(index)?, 4)?);
            let tail = elf.get(name..).context("has a section name beyond its end")?;
            let bytes = tail.split(|byte| *byte == 0).next().unwrap_or_default();
            Ok(std::str::from_utf8(bytes).context("has a section name that is no text")?.to_owned())
        })
        .collect()
}

fn number(elf: &[u8], at: usize, size: usize) -> Result<usize> {
    let bytes =
        at.checked_add(size).and_then(|end| elf.get(at..end)).context("ends inside a header")?;
    let value = bytes.iter().rev().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    usize::try_from(value).context("has an offset beyond this machine's memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with the named sections and nothing in them.
    fn elf(sections: &[&str]) -> Vec<u8> {
        let mut names = vec![0];
        let mut offsets = vec![0];
        for name in sections {
            offsets.push(names.len());
            names.extend(name.as_bytes());
            names.push(0);
        }
        let table = 0x40 + names.len();
        let mut elf = vec![0; 0x40];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        elf[0x3a..0x3c].copy_from_slice(&0x40_u16.to_le_bytes());
        elf[0x3c..0x3e].copy_from_slice(&(offsets.len() as u16).to_le_bytes());
        elf.extend(&names);
        for offset in offsets {
            let mut header = [0; 0x40];
            header[..4].copy_from_slice(&(offset as u32).to_le_bytes());
            header[0x18..0x20].copy_from_slice(&0x40_u64.to_le_bytes());
            elf.extend(header);
        }
        elf
    }

    const KEPT: &[&str] = &[".BTF", ".BTF.ext", ".symtab", "license", "maps", "cgroup/bind4"];

    #[test]
    fn an_object_without_debug_sections_is_good() {
        let full = elf(&[KEPT, &[".debug_info", ".rel.debug_info"]].concat());
        verify_stripped(&full, &elf(KEPT)).unwrap();
    }

    #[test]
    fn a_lost_program_and_a_left_debug_section_are_told() {
        let error = verify_stripped(&elf(KEPT), &elf(&KEPT[..5])).unwrap_err().to_string();
        assert!(error.contains("cgroup/bind4"), "{error}");
        let full = elf(&[KEPT, &[".debug_str"]].concat());
        let error = verify_stripped(&full, &full).unwrap_err().to_string();
        assert!(error.contains(".debug_str"), "{error}");
    }

    #[test]
    fn an_object_without_types_or_maps_is_refused() {
        assert!(verify_stripped(&elf(&KEPT[1..]), &elf(&KEPT[1..])).is_err());
        assert!(verify_stripped(&elf(&KEPT[..4]), &elf(&KEPT[..4])).is_err());
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let whole = elf(KEPT);
        for length in 0..whole.len() {
            assert!(section_names(&whole[..length]).is_err() || length > 0x40);
        }
    }
}
