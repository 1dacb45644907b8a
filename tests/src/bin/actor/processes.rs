//! Processes: exec with any bytes, fork without exec, a new name.

use std::{
    ffi::{CString, OsStr, OsString},
    io,
    os::unix::{ffi::OsStringExt as _, process::CommandExt as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    arguments::{Arguments, from_hex, parse},
    open_listeners::Listeners,
    perform,
    truth::tell,
};

pub fn own_path() -> PathBuf {
    std::env::current_exe().expect("/proc is mounted")
}

/// `exec-chain N -- WORDS…`: execs itself N times, then does WORDS.
pub fn exec_chain(arguments: &Arguments) {
    let operands = arguments.operands();
    let left: u32 = parse(operands[0]);
    tell("exec").with("left", left).send();
    if left == 0 {
        perform(owned(&operands[1..]), &mut Default::default());
        return;
    }
    let error = Command::new(own_path())
        .arg("exec-chain")
        .arg((left - 1).to_string())
        .arg("--")
        .args(&operands[1..])
        .exec();
    panic!("exec: {error}");
}

/// `exec-as [--argv HEX,HEX…] PATH_HEX -- WORDS…`: copies itself to PATH
/// and execs that with WORDS and the extra arguments.
pub fn exec_as(arguments: &Arguments) {
    let operands = arguments.operands();
    let path = OsString::from_vec(from_hex(operands[0]));
    std::fs::copy(own_path(), &path).expect("the actor can be copied");
    let mut command = Command::new(&path);
    command.args(&operands[1..]).arg("--");
    if let Some(words) = arguments.option::<String>("--argv") {
        command.args(words.split(',').map(|word| OsString::from_vec(from_hex(OsStr::new(word)))));
    }
    tell("exec").send();
    let error = command.exec();
    panic!("exec: {error}");
}

/// `spawn WORDS…` or `spawn -- WORDS…`: runs itself as a child with WORDS.
pub fn spawn(arguments: &Arguments) {
    let status = Command::new(own_path())
        .args(arguments.operands())
        .stdin(Stdio::null())
        .status()
        .expect("the actor can be started");
    tell("exit").with("status", status.code().unwrap_or(-1)).send();
}

/// `fork-connect WORDS…`: a child that never execs does WORDS, with the open
/// listeners that it inherits.
pub fn fork_connect(arguments: &Arguments, listeners: &mut Listeners) {
    // SAFETY: the actor has one thread, so the child may run any code.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", io::Error::last_os_error());
    if child == 0 {
        perform(owned(&arguments.operands()), listeners);
        std::process::exit(0);
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child, "waitpid: {}", io::Error::last_os_error());
    tell("exit").with("child", child).with("status", libc::WEXITSTATUS(status)).send();
}

/// `prctl-name NAME_HEX`
pub fn rename(arguments: &Arguments) {
    let name = CString::new(from_hex(arguments.operands()[0])).expect("no NUL inside");
    // SAFETY: PR_SET_NAME reads a NUL-terminated string.
    let result = unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    assert_eq!(result, 0, "PR_SET_NAME: {}", io::Error::last_os_error());
    tell("renamed").send();
}

/// `without-mounts -- PATH WORDS…`: execs PATH where no file system can be
/// mounted, as on a kernel that does not have that file system.
pub fn without_mounts(arguments: &Arguments) {
    let refused = [libc::SYS_mount, libc::SYS_fsopen];
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for (index, number) in refused.iter().enumerate() {
        let jump = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        let to_refusal = (refused.len() - index) as u8;
        program.push(libc::sock_filter { code: jump, jt: to_refusal, jf: 0, k: *number as u32 });
    }
    let answer = libc::BPF_RET | libc::BPF_K;
    program.push(statement(answer, libc::SECCOMP_RET_ALLOW));
    program.push(statement(answer, libc::SECCOMP_RET_ERRNO | libc::ENODEV as u32));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the filter and its statements live until the call returns.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!(result, 0, "PR_SET_SECCOMP: {}", io::Error::last_os_error());
    let operands = arguments.operands();
    let error = Command::new(operands[0]).args(&operands[1..]).exec();
    panic!("exec: {error}");
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn owned(words: &[&OsStr]) -> Vec<OsString> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
