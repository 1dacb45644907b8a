//! A kernel that does not describe its types: hostnet refuses, and says why.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use hostnet_tests::{hostnet, needs_root, patience, skip};

const CANNOT_OBSERVE: i32 = 3;

#[test]
fn it_is_refused() {
    needs_root!(no owners);
    if Path::new("/sys/kernel/btf/vmlinux").exists() {
        skip("this kernel has BTF");
        return;
    }
    for arguments in [&["watch"][..], &["watch", "--json"], &["doctor"]] {
        // `timeout` so that an agent that does not refuse fails the test.
        let output = Command::new("timeout")
            .args(["-k", "20", &patience().as_secs().to_string()])
            .arg(hostnet())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("timeout can be started");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("messages are UTF-8");
        assert_eq!(output.status.code(), Some(CANNOT_OBSERVE), "{arguments:?}: {text}");
        for words in ["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"] {
            assert!(text.contains(words), "{arguments:?} does not say {words}: {text}");
        }
    }
}
