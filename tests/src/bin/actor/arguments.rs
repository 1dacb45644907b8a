//! Words of a command line: `--name value` options, `--name` switches, operands.

use std::{
    ffi::{OsStr, OsString},
    net::{IpAddr, SocketAddr},
    os::unix::ffi::OsStrExt as _,
    str::FromStr,
};

pub struct Arguments(Vec<OsString>);

/// Options that are followed by a value; every other `--name` is a switch.
const VALUED: [&str; 19] = [
    "--api",
    "--addr",
    "--port",
    "--count",
    "--reply",
    "--send",
    "--to",
    "--times",
    "--backlog",
    "--argv",
    "--datagrams",
    "--by",
    "--from",
    "--scope",
    "--flow",
    "--mark",
    "--protocol",
    "--pause",
    "--open",
];

impl Arguments {
    pub fn new(words: Vec<OsString>) -> Self {
        Self(words)
    }

    pub fn switch(&self, name: &str) -> bool {
        self.0.iter().any(|word| word == name)
    }

    pub fn option<T: FromStr>(&self, name: &str) -> Option<T> {
        debug_assert!(VALUED.contains(&name));
        let at = self.0.iter().position(|word| word == name)?;
        Some(parse(self.0.get(at + 1).unwrap_or_else(|| panic!("{name} needs a value"))))
    }

    /// Operands in order; everything after the first `--` is one.
    pub fn operands(&self) -> Vec<&OsStr> {
        let mut operands = Vec::new();
        let mut words = self.0.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                operands.extend(words.by_ref().map(OsString::as_os_str));
            } else if VALUED.iter().any(|name| word == name) {
                words.next();
            } else if !word.as_bytes().starts_with(b"--") {
                operands.push(word);
            }
        }
        operands
    }

    /// Operand `index` as the address of a peer: `ADDR PORT` are two operands.
    pub fn peer(&self, index: usize) -> SocketAddr {
        let operands = self.operands();
        let ip: IpAddr = parse(operands[index]);
        SocketAddr::new(ip, parse(operands[index + 1]))
    }
}

pub fn parse<T: FromStr>(word: &OsStr) -> T {
    let text = word.to_str().unwrap_or_else(|| panic!("{word:?} is not UTF-8"));
    text.parse().unwrap_or_else(|_| panic!("{text:?} is not what is expected here"))
}

/// The bytes a hexadecimal word stands for.
pub fn from_hex(word: &OsStr) -> Vec<u8> {
    let digits = word.as_bytes();
    assert!(digits.len().is_multiple_of(2), "odd number of hexadecimal digits");
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}
