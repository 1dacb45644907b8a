//! Users by name: the host's by the host's word, a container's by the container's own,
//! which is told as a claim. The id is always the kernel's.

use hostnet_tests::{Actor, ActorBox, Agent, Docker, Want, needs_docker, needs_root, want};

fn box_of(user: &str) -> ActorBox {
    Docker::shared().launch("host").options(["--user", user]).actor()
}

/// A connect that the container has made once its names are known.
fn connects(agent: &Agent, actor: &mut ActorBox) -> Want {
    let known = want().action("exec").owned_by(&actor.container);
    agent.expect(&known.is("hostnet.container.network_mode", "host"));
    let port = actor.connect_refused();
    let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
    connect.owned_by(&actor.container)
}

#[test]
fn a_containers_own_name_is_a_claim() {
    needs_root!();
    needs_docker!("names");
    let agent = Agent::start();
    // The last is in the image's file as `root`, and is not.
    for (user, name) in [("0", "root"), ("4242", "boxer"), ("4243", "root")] {
        let mut actor = box_of(user);
        let connect = connects(&agent, &mut actor).is("user.id", user);
        agent.expect(&connect.is("user.name", name).is("hostnet.user.name_source", "container"));
    }
    let mut nobodys = box_of("4244");
    let connect = connects(&agent, &mut nobodys).is("user.id", "4244");
    agent.expect(&connect.absent("user.name").absent("hostnet.user"));
    agent.stop();
}

/// What is mounted there may be of a file system that never answers.
#[test]
fn a_file_in_another_mount_names_nobody() {
    needs_root!();
    needs_docker!("names");
    let agent = Agent::start();
    for mount in ["type=bind,src=/etc/passwd,dst=/etc/passwd,ro", "type=tmpfs,dst=/etc"] {
        let options = ["--user", "0", "--mount", mount];
        let mut actor = Docker::shared().launch("host").options(options).actor();
        let connect = connects(&agent, &mut actor).is("user.id", "0");
        agent.expect(&connect.absent("user.name").absent("hostnet.user"));
    }
    agent.stop();
}

#[test]
fn the_hosts_name_is_the_hosts() {
    needs_root!();
    let agent = Agent::setup().all().start();
    let mut actor = Actor::on_host();
    let port = actor.connect_refused();
    let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
    let connect = connect.is("hostnet.owner.kind", "host").is("user.id", "0");
    agent.expect(&connect.is("user.name", "root").is("hostnet.user.name_source", "host"));
    agent.stop();
}
