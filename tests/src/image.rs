//! The image every test container runs: busybox and the actor, nothing else.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use crate::paths::program;

pub const IMAGE: &str = "hostnet-test/box:1";

/// The page busybox httpd serves: `/page`, of a known length.
pub const PAGE: &[u8] = &[b'p'; 1000];

/// Users by the image's own word, one of whom is not who it says.
const PASSWD: &str =
    "root:x:0:0::/:/bin/sh\nboxer:x:4242:4242::/:/bin/sh\nroot:x:4243:0::/:/bin/sh\n";

pub fn fill(root: &Path) {
    for directory in ["bin", "proc", "sys", "dev", "etc", "tmp", "www"] {
        fs::create_dir(root.join(directory)).expect("a directory");
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).expect("chmod");
    let busybox = Path::new("/bin/busybox");
    install(busybox, &root.join("bin/busybox"), "apt-get install busybox-static");
    for applet in ["sh", "true", "sleep", "httpd", "cat", "chmod"] {
        symlink("busybox", root.join("bin").join(applet)).expect("a link");
    }
    let how = "RUSTFLAGS=-Ctarget-feature=+crt-static and --target x86_64-unknown-linux-gnu";
    install(&program("actor"), &root.join("actor"), how);
    fs::write(root.join("www/page"), PAGE).expect("a page");
    fs::write(root.join("etc/passwd"), PASSWD).expect("a file of users");
}

fn install(from: &Path, to: &Path, how: &str) {
    let bytes = fs::read(from).unwrap_or_else(|error| panic!("{}: {error}: {how}", from.display()));
    assert!(is_static(&bytes), "{} needs shared libraries; build it with {how}", from.display());
    fs::write(to, bytes).expect("a program");
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// Whether a 64-bit ELF file asks for no interpreter (`PT_INTERP`).
fn is_static(elf: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, length: usize| {
        elf[at..at + length].iter().rev().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).all(|index| number(table + index * size, 4) != PT_INTERP as usize)
}
