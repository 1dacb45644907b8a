//! Field offsets from the running kernel's BTF.
//!
//! aya parses BTF but keeps struct members to itself, so this small reader does
//! the one thing that is missing: (struct, member path) → byte offset. The
//! format is Documentation/bpf/btf.rst; anonymous structs and unions are
//! searched as the C language does, and bit-fields resolve to their byte.

use std::{collections::HashMap, path::PathBuf};

use thiserror::Error;

/// Why an offset or the BTF itself cannot be had.
#[derive(Debug, Error)]
pub enum BtfError {
    #[error("cannot read kernel type information at {path}: {error}")]
    Unreadable { path: String, error: std::io::Error },
    #[error("kernel type information at {path} is not BTF: {reason}")]
    Malformed { path: String, reason: &'static str },
    #[error("the kernel has no struct {0}")]
    NoStruct(String),
    #[error("struct {0} has no member {1} on this kernel")]
    NoMember(String, String),
}

/// Where the kernel's BTF is: `/sys/kernel/btf/vmlinux`, or `HOSTNET_BTF`.
#[must_use]
pub fn path() -> PathBuf {
    std::env::var_os("HOSTNET_BTF").map_or_else(|| "/sys/kernel/btf/vmlinux".into(), PathBuf::from)
}

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
/// Bytes of the header.
const HEADER: u32 = 24;
const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_FWD: u32 = 7;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;

/// Types that a program is attached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// `btf_trace_…` of a tracepoint.
    Typedef,
    /// A function of the kernel.
    Function,
}

/// BTF of one kernel, indexed by type id and by struct name.
pub struct Btf {
    bytes: Vec<u8>,
    strings: usize,
    /// Byte position of each type; id 0 is `void`.
    types: Vec<u32>,
    structs: HashMap<String, u32>,
}

struct Type {
    kind: u32,
    count: usize,
    kind_flag: bool,
    /// Size, or the type referred to.
    size_or_type: u32,
    /// Position of what follows the common part.
    body: usize,
}

impl Btf {
    /// Reads the BTF file at `path`.
    ///
    /// # Errors
    /// [`BtfError::Unreadable`] or [`BtfError::Malformed`].
    pub fn read(path: &std::path::Path) -> Result<Self, BtfError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| BtfError::Unreadable { path: name.clone(), error })?;
        Self::parse(bytes).map_err(|reason| BtfError::Malformed { path: name, reason })
    }

    fn parse(bytes: Vec<u8>) -> Result<Self, &'static str> {
        let short = "it is too short";
        if u16_at(&bytes, 0).ok_or(short)? != MAGIC {
            return Err("the magic number is wrong");
        }
        let header = u32_at(&bytes, 4).ok_or(short)? as usize;
        let types_start = header + u32_at(&bytes, 8).ok_or(short)? as usize;
        let types_end = types_start + u32_at(&bytes, 12).ok_or(short)? as usize;
        let strings = header + u32_at(&bytes, 16).ok_or(short)? as usize;
        if types_end > bytes.len() || strings > bytes.len() {
            return Err("a section ends outside the file");
        }
        let mut btf = Self { bytes, strings, types: vec![0], structs: HashMap::new() };
        let mut position = types_start;
        while position < types_end {
            let id = btf.types.len() as u32;
            btf.types.push(position as u32);
            let found = btf.type_at(position).ok_or("a type is cut off")?;
            let tail = match found.kind {
                KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
                KIND_ARRAY => 12,
                KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => 12 * found.count,
                KIND_ENUM | KIND_FUNC_PROTO => 8 * found.count,
                _ => 0,
            };
            if found.kind == KIND_STRUCT
                && let Some(name) = btf.name_at(position)
                && !name.is_empty()
            {
                let name = name.to_owned();
                btf.structs.entry(name).or_insert(id);
            }
            position = found.body + tail;
        }
        Ok(btf)
    }

    /// Byte offset of a row of [`hostnet_abi::Offsets::TABLE`] on this kernel.
    ///
    /// # Errors
    /// [`BtfError::NoStruct`] or [`BtfError::NoMember`].
    pub fn offset_of_row(
        &self,
        (name, path, older): (&str, &str, Option<&str>),
    ) -> Result<u32, BtfError> {
        self.offset_of(name, path).or_else(|error| match older {
            Some(older) => self.offset_of(name, older).map_err(|_same| error),
            None => Err(error),
        })
    }

    /// Byte offset of the member at `path` (`a.b.c`) in `struct name`.
    /// With `:bit` behind it, the bit within its byte at which it begins.
    fn offset_of(&self, name: &str, path: &str) -> Result<u32, BtfError> {
        let (path, is_bit) = match path.strip_suffix(":bit") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let missing = || BtfError::NoMember(name.to_owned(), path.to_owned());
        let mut id = *self.structs.get(name).ok_or_else(|| BtfError::NoStruct(name.to_owned()))?;
        let mut bits = 0;
        for member in path.split('.') {
            let (offset, member_type) = self.member(id, member).ok_or_else(missing)?;
            bits += offset;
            id = member_type;
        }
        Ok(if is_bit { bits % 8 } else { bits / 8 })
    }

    /// BTF with the same type ids in which only typedefs and functions that
    /// `keep` names are left; every other type is an anonymous forward
    /// declaration, and what comes after the last one kept is not there.
    #[must_use]
    pub fn only_named(&self, keep: impl Fn(Named, &str) -> bool) -> Vec<u8> {
        let mut types = Vec::with_capacity(12 * self.types.len());
        let mut strings = vec![0];
        let mut end = 0;
        for position in self.types.iter().skip(1) {
            let position = *position as usize;
            let kind = self.type_at(position).map_or(0, |found| found.kind);
            let named = match kind {
                KIND_TYPEDEF => Some(Named::Typedef),
                KIND_FUNC => Some(Named::Function),
                _ => None,
            };
            let name = named
                .and_then(|named| Some((named, self.name_at(position)?)))
                .filter(|(named, name)| keep(*named, name));
            let [name_offset, info] = match name {
                Some((_, name)) => {
                    let offset = strings.len() as u32;
                    strings.extend_from_slice(name.as_bytes());
                    strings.push(0);
                    [offset, kind << 24]
                }
                None => [0, KIND_FWD << 24],
            };
            for word in [name_offset, info, 0] {
                types.extend_from_slice(&word.to_le_bytes());
            }
            if name.is_some() {
                end = types.len();
            }
        }
        types.truncate(end);
        let header = [HEADER, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
        let mut bytes = Vec::with_capacity(HEADER as usize + types.len() + strings.len());
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&[VERSION, 0]);
        bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend_from_slice(&types);
        bytes.extend_from_slice(&strings);
        bytes
    }

    /// Bit offset and type of a member, through anonymous members.
    fn member(&self, id: u32, name: &str) -> Option<(u32, u32)> {
        let of = self.resolved(id)?;
        if of.kind != KIND_STRUCT && of.kind != KIND_UNION {
            return None;
        }
        for index in 0..of.count {
            let at = of.body + 12 * index;
            let member_name = self.string(u32_at(&self.bytes, at)?)?;
            let member_type = u32_at(&self.bytes, at + 4)?;
            let raw = u32_at(&self.bytes, at + 8)?;
            let offset = if of.kind_flag { raw & 0x00ff_ffff } else { raw };
            if member_name == name {
                return Some((offset, member_type));
            }
            if member_name.is_empty()
                && let Some((inner, found)) = self.member(member_type, name)
            {
                return Some((offset + inner, found));
            }
        }
        None
    }

    /// The type behind typedefs and qualifiers.
    fn resolved(&self, mut id: u32) -> Option<Type> {
        loop {
            let found = self.type_at(*self.types.get(id as usize)? as usize)?;
            match found.kind {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => {
                    id = found.size_or_type;
                }
                _ => return Some(found),
            }
        }
    }

    fn type_at(&self, position: usize) -> Option<Type> {
        let info = u32_at(&self.bytes, position + 4)?;
        Some(Type {
            kind: (info >> 24) & 0x1f,
            count: (info & 0xffff) as usize,
            kind_flag: info >> 31 == 1,
            size_or_type: u32_at(&self.bytes, position + 8)?,
            body: position + 12,
        })
    }

    fn name_at(&self, position: usize) -> Option<&str> {
        self.string(u32_at(&self.bytes, position)?)
    }

    fn string(&self, offset: u32) -> Option<&str> {
        let rest = self.bytes.get(self.strings + offset as usize..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use hostnet_abi::Offsets;

    use super::*;

    #[test]
    fn resolves_every_offset_on_the_running_kernel() {
        let Ok(btf) = Btf::read(&path()) else {
            crate::skip::skip("this kernel shows no BTF");
            return;
        };
        for row in Offsets::TABLE {
            btf.offset_of_row(*row).unwrap();
        }
        let offsets =
            Offsets::resolve(|of, member, older| btf.offset_of_row((of, member, older)).ok());
        // Two facts that no kernel since 4.x has changed.
        assert_eq!(offsets.sock_daddr, 0, "skc_daddr starts struct sock_common");
        assert_eq!(offsets.sock_dport, 12, "skc_dport follows the two addresses and the hash");
        assert_eq!(offsets.sock_family, 16);
    }

    #[test]
    fn names_what_is_missing() {
        let Ok(btf) = Btf::read(&path()) else { return };
        let error = btf.offset_of("sock", "no_such_member").unwrap_err();
        assert_eq!(error.to_string(), "struct sock has no member no_such_member on this kernel");
        let error = btf.offset_of("no_such_struct", "x").unwrap_err();
        assert_eq!(error.to_string(), "the kernel has no struct no_such_struct");
    }

    #[test]
    fn a_reduced_copy_keeps_ids() {
        let Ok(btf) = Btf::read(&path()) else { return };
        let wanted = "btf_trace_sched_process_exec";
        let reduced = Btf::parse(btf.only_named(|_, name| name == wanted)).unwrap();
        assert!(reduced.types.len() < btf.types.len());
        let id = |btf: &Btf| {
            let is_wanted = |at: &&u32| btf.name_at(**at as usize) == Some(wanted);
            btf.types.iter().skip(1).position(|at| is_wanted(&at))
        };
        assert!(id(&btf).is_some());
        assert_eq!(id(&reduced), id(&btf));
    }

    #[test]
    fn refuses_what_is_not_btf() {
        assert_eq!(Btf::parse(vec![0; 64]).err(), Some("the magic number is wrong"));
        assert_eq!(Btf::parse(vec![0x9f]).err(), Some("it is too short"));
    }
}
