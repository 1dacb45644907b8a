//! Bytes and acceptances by the less used calls, and by those of another
//! architecture.

use hostnet_tests::{Technique, all, needs_root, net, skip};

fn transfer(by: &str, options: &str) {
    let trial = Technique::new().is_told(|actor| {
        let rows = net::LOOPBACKS
            .map(|address| actor.perform(&format!("transfer {address} --by {by}{options}")));
        all("ok", rows.concat())
    });
    // Bind, listen, connect, accept, and the end of both sides with its bytes.
    assert_eq!(trial.joined.expect("joined").rows, 6 * net::LOOPBACKS.len());
}

#[test]
fn e20_write_and_accept() {
    needs_root!();
    transfer("write", "");
}

#[test]
fn e20_accept4() {
    needs_root!();
    transfer("write", " --accept4");
}

#[test]
fn e20_splice() {
    needs_root!();
    transfer("splice", "");
}

#[test]
fn e20_sendfile() {
    needs_root!();
    transfer("sendfile", "");
}

#[test]
fn e20_msg_zerocopy() {
    needs_root!();
    transfer("msg-zerocopy", "");
}

fn compat(option: &str, operations: usize) {
    let technique = Technique::new();
    let perform = |actor: &mut hostnet_tests::ActorBox| {
        let rows = ["127.0.0.1", "::1"].map(|address| {
            actor.perform(&format!("ia32 {address} {}{option}", net::free_udp_port()))
        });
        rows.concat()
    };
    if technique.works(perform)[0]["result"] == "unsupported" {
        return skip("this kernel has no 32-bit system calls (CONFIG_IA32_EMULATION)");
    }
    let trial = technique.is_told(|actor| all("ok", perform(actor)));
    assert_eq!(trial.joined.expect("joined").rows, 2 * operations);
}

#[test]
fn e19_ia32_calls() {
    needs_root!();
    compat("", 4);
}

#[test]
fn e19_ia32_socketcall() {
    needs_root!();
    compat(" --socketcall", 5);
}
