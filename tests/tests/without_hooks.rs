//! Each hook is needed: without it a technique that shows what it sees is not
//! told as it happened, and the coverage statement names the hook. So the
//! expectations of the other tests can fail.

use hostnet_tests::{ActorBox, Docker, Technique, Trial, needs_docker, needs_root, net, want};
use serde_json::Value;

fn needed(hook: &str, words: &str) {
    let perform = |actor: &mut ActorBox| actor.perform(words);
    Technique::new().is_not_told_without(hook, perform, |_trial| true);
}

fn refused(address: &str) -> String {
    format!("tcp-connect {address} {}", net::closed_port())
}

#[test]
fn bind_asked() {
    needs_root!();
    needed("bind4", "bind-used 127.0.0.1 0");
    needed("bind6", "bind-used ::1 0");
}

#[test]
fn bind_done() {
    needs_root!();
    needed("post_bind4", "bind 127.0.0.1 0");
    needed("post_bind6", "bind ::1 0");
}

#[test]
fn connect() {
    needs_root!();
    needed("connect4", &refused("127.0.0.1"));
    needed("connect6", &refused("::1"));
}

#[test]
fn datagrams_sent() {
    needs_root!();
    needed("sendmsg4", "sendmmsg 127.0.0.1 30000 3");
    needed("sendmsg6", "sendmmsg ::1 30000 3");
}

#[test]
fn datagrams_received() {
    needs_root!();
    needed("recvmsg4", "recvmmsg 127.0.0.1 3");
    needed("recvmsg6", "recvmmsg ::1 3");
}

#[test]
fn sockets_made_and_released() {
    needs_root!();
    needed("sock_create", "raw-icmp");
    needed("sock_release", "udp-close 127.0.0.1 30000");
}

#[test]
fn tcp_states() {
    needs_root!();
    needed("inet_sock_set_state", "fast-open 127.0.0.1 --by sendto");
}

/// A child that execs is told with its own arguments.
#[test]
fn exec() {
    needs_root!();
    needed("sched_process_exec", &format!("spawn -- {}", refused("127.0.0.1")));
}

/// A child that never execs is known by its parent: it is gone before /proc can
/// be asked about it.
#[test]
fn fork() {
    needs_root!();
    let words = format!("fork-connect -- {}", refused("127.0.0.1"));
    let perform = |actor: &mut ActorBox| actor.perform(&words);
    let technique = Technique::new().told_afterwards();
    technique.is_not_told_without("sched_process_fork", perform, |_trial| true);
}

#[test]
fn exit() {
    needs_root!();
    let words = format!("spawn -- {}", refused("127.0.0.1"));
    Technique::new().is_not_told_without(
        "sched_process_exit",
        |actor| actor.perform(&words),
        |trial: &Trial| {
            let ended = want().action("end").owned_by(&trial.container);
            trial.run.all(&ended).len() == 1
        },
    );
}

/// Whose a cgroup was that is gone by the time it is asked for.
#[test]
fn cgroup_made() {
    needs_root!();
    let port = net::closed_port();
    let perform = |actor: &mut ActorBox| -> Vec<Value> {
        let to = port.to_string();
        Docker::shared().launch("host").to_end(["/actor", "short", "127.0.0.1", &to]);
        actor.perform("bind 127.0.0.1 0")
    };
    Technique::new().told_afterwards().is_not_told_without("cgroup_mkdir", perform, |trial| {
        let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
        trial.run.all(&connect).iter().any(|event| event["container"]["id"].is_string())
    });
}

/// A container has left when its cgroup is gone.
#[test]
fn cgroup_removed() {
    needs_root!();
    needs_docker!("a container that ends while another runs");
    let perform = |actor: &mut ActorBox| -> Vec<Value> {
        Docker::shared().launch("host").to_end(["true"]);
        actor.perform("bind 127.0.0.1 0")
    };
    Technique::new().is_not_told_without("cgroup_rmdir", perform, |trial| {
        !trial.run.all(&want().action("container-left-host-network")).is_empty()
    });
}
