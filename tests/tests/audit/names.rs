//! What containers are called: one that others link to, and the tasks of a service.

use hostnet_tests::{Docker, needs_docker, needs_root, proxy::Proxy};

use super::{Auditor, entered, subject, text};

/// A link gives the container that it leads to another name, and Docker's list has that
/// one first. What Docker's list alone says is what there is when inspects are refused.
#[test]
fn a_linked_container_is_called_by_its_own_name_when_inspects_are_refused() {
    needs_root!();
    needs_docker!("links");
    let docker = Docker::shared();
    let database = docker.launch("bridge").start(["sleep", "1000"]);
    let link = format!("--link={}:database", database.name);
    let application = docker.launch("bridge").options([&link]).start(["sleep", "1000"]);
    let proxy = Proxy::start(docker.host(), |path| {
        !path.starts_with("/containers/") || path.starts_with("/containers/json")
    });
    let list = docker.run(["ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}"]);
    let alias = format!("{}/database", application.name);
    assert!(list.contains(&alias), "Docker calls it by the link, too: {list}");
    let process = entered(&database, true);
    let auditor = Auditor::asking(&proxy.host(), "");
    let told = auditor.of(&database.id).expect("it is told");
    assert_eq!(told["label"], database.name.as_str(), "{told}");
    assert_eq!(told["container"]["name"], database.name.as_str(), "{told}");
    assert!(proxy.refused().iter().any(|path| path.contains(&database.id)), "inspects are refused");
    drop(process);
}

/// The labels are those that Swarm gives to the containers of a service's tasks.
#[test]
fn the_tasks_of_a_swarm_service_are_one_row() {
    needs_root!();
    needs_docker!("labels");
    let docker = Docker::shared();
    let service = Docker::fresh_name("service");
    let of_service = format!("--label=com.docker.swarm.service.name={service}");
    let task = |slot: u32| {
        let name = format!("{service}.{slot}.x7{slot}kd0q");
        let task = format!("--label=com.docker.swarm.task.name={name}");
        let launch = docker.launch("host").name(&name).options([&of_service, &task]);
        launch.start(["sleep", "1000"])
    };
    let tasks = [task(1), task(2)];
    let auditor = Auditor::new("");
    let table = text(&auditor.run([]).stdout);
    let rows: Vec<&str> =
        table.lines().filter(|line| line.starts_with(&format!("{service} "))).collect();
    assert_eq!(rows.len(), 1, "{table}");
    let title = format!("{service}: Swarm service with 2 tasks here: ");
    assert_eq!(table.lines().filter(|line| line.starts_with(&title)).count(), 1, "{table}");
    let audit = auditor.json();
    for task in &tasks {
        let told = subject(&audit, &task.id).expect("a task is told");
        assert_eq!(told["part_of"]["kind"], "swarm-service", "{told}");
        assert_eq!(told["part_of"]["name"], service.as_str(), "{told}");
    }
}
