//! io_uring: what needs no system call is told like what does, and as the
//! process's doing, never as that of its kernel threads.

use hostnet_tests::{ActorBox, Technique, all, needs_linux, needs_root, net};
use serde_json::Value;

fn tcp(actor: &mut ActorBox, options: &str) -> Vec<Value> {
    let rows =
        net::LOOPBACKS.map(|address| actor.perform(&format!("uring-tcp {address}{options}")));
    all("ok", rows.concat())
}

fn udp(actor: &mut ActorBox, options: &str) -> Vec<Value> {
    let rows = net::LOOPBACKS.map(|address| {
        let [first, second, third] = [(); 3].map(|()| net::free_udp_port());
        actor.perform(&format!("uring-udp {address} {first} {second} {third}{options}"))
    });
    all("ok", rows.concat())
}

fn both(options: &str) {
    let trial = Technique::new().unconfined().is_told(|actor| {
        let mut rows = tcp(actor, options);
        rows.extend(udp(actor, options));
        rows
    });
    // Bind, listen, connect, accept; two sends and a connect.
    let joined = trial.joined.expect("joined");
    assert_eq!(joined.rows, 7 * net::LOOPBACKS.len());
    assert_eq!(joined.witnessed, joined.rows, "every socket is open, and ss shows it");
}

#[test]
fn e04_io_uring() {
    needs_root!();
    both("");
}

/// Forced onto a worker thread, `iou-wrk-N`.
#[test]
fn e04_io_uring_workers() {
    needs_root!();
    both(" --async");
}

#[test]
fn e04_io_uring_direct_descriptors() {
    needs_root!();
    needs_linux!(6, 8, "a direct descriptor cannot be looked at");
    both(" --direct");
}

#[test]
fn e04_io_uring_multishot_accept() {
    needs_root!();
    let trial = Technique::new().unconfined().is_told(|actor| tcp(actor, " --multishot"));
    assert_eq!(trial.joined.expect("joined").rows, 4 * net::LOOPBACKS.len());
}

#[test]
fn e05_io_uring_sqpoll() {
    needs_root!();
    both(" --sqpoll");
}

#[test]
fn e05_io_uring_sqpoll_direct_descriptors() {
    needs_root!();
    needs_linux!(6, 8, "a direct descriptor cannot be looked at");
    both(" --sqpoll --direct");
}
