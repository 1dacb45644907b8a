//! Containers that are one: renamed, made anew, replicas; and what their commands are
//! called.

use super::{
    run,
    scene::{DAY, Scene, UDP, labelled, unit},
    text,
};
use crate::{
    advise::{Answer, Meant},
    event::{Joined, Owner},
};
use std::sync::Arc;

const MADE: &str = "2026-11-28T00:00:01Z";

fn serve(scene: &mut Scene, owner: &Arc<Owner>, port: u16) {
    scene.by(Arc::clone(owner));
    scene.listen(&format!("[::]:{port}"));
    scene.accept(&format!("10.0.0.2:{port}"), "10.0.0.9:5000", 20);
}

/// The same container with another name.
fn renamed(owner: &Owner, name: &str) -> Arc<Owner> {
    let container = owner.container.as_deref().cloned().unwrap();
    let container = crate::event::Container { name: name.to_owned(), ..container };
    Arc::new(Owner { container: Some(Arc::new(container)), ..owner.clone() })
}

#[test]
fn a_renamed_container_is_one_and_found_by_every_name_it_had() {
    let mut scene = Scene::new();
    let first = labelled("p-web-1", MADE, &[], &[]);
    let id = first.container_id.clone().unwrap();
    let second = renamed(&first, &format!("{}_p-web-1", &id[..12]));
    serve(&mut scene, &first, 80);
    serve(&mut scene, &second, 81);
    let third = renamed(&first, "shop");
    for wanted in ["p-web-1", &format!("{}_p-web-1", &id[..12]), &id] {
        let [advice] = scene.called(wanted).try_into().unwrap();
        assert_eq!(run(&advice), "-p 80-81:80-81", "{wanted}");
    }
    serve(&mut scene, &third, 83);
    let [advice] = scene.called("p-web-1").try_into().unwrap();
    assert_eq!((&*advice.label, advice.names.len()), ("shop", 3));
    assert_eq!(scene.all().iter().filter(|one| one.ids == [id.clone()]).count(), 1);
}

#[test]
fn a_container_that_has_no_name_at_first_is_the_one_of_that_name() {
    let mut scene = Scene::new();
    let first = labelled("web", MADE, &[], &[]);
    serve(&mut scene, &first, 80);
    let named = labelled("web2", MADE, &[], &[]);
    let unnamed = Arc::new(Owner { container: None, ..(*named).clone() });
    serve(&mut scene, &unnamed, 81);
    let container = crate::event::Container {
        name: "web".to_owned(),
        image: "web:1".to_owned(),
        ..named.container.as_deref().cloned().unwrap()
    };
    let known = Arc::new(Owner { container: Some(Arc::new(container)), ..(*named).clone() });
    serve(&mut scene, &known, 82);
    let [advice] = scene.called("web").try_into().unwrap();
    assert_eq!((advice.ids.len(), &*run(&advice)), (2, "-p 80-82:80-82"));
}

#[test]
fn an_ambiguous_beginning_of_ids_names_both() {
    let mut scene = Scene::new();
    for name in ["aa", "ab"] {
        serve(&mut scene, &labelled(name, MADE, &[], &[]), 80);
    }
    let Meant::OneOf(labels) = scene.cases().advice_for("61") else { panic!("61 is ambiguous") };
    assert_eq!(labels, ["aa", "ab"]);
    assert_eq!(scene.called("6161").len(), 1);
}

#[test]
fn replicas_of_a_compose_service_are_one() {
    let mut scene = Scene::new();
    let labels = [("com.docker.compose.project", "p"), ("com.docker.compose.service", "shop")];
    for name in ["p-web-1", "p-web-2"] {
        let replica = labelled(name, MADE, &[], &labels);
        let container = crate::event::Container {
            image: "web:1".to_owned(),
            ..replica.container.as_deref().cloned().unwrap()
        };
        let replica = Owner { container: Some(Arc::new(container)), ..(*replica).clone() };
        let port = if name.ends_with('1') { 80 } else { 81 };
        serve(&mut scene, &Arc::new(replica), port);
    }
    for wanted in ["shop", "p-shop", "p-web-1", "p-web-2"] {
        let [advice] = scene.called(wanted).try_into().unwrap();
        assert_eq!((&*advice.label, &*run(&advice)), ("p-shop", "-p 80-81:80-81"), "{wanted}");
        let text = text(&advice);
        assert!(text.contains("in the Compose file of project p\n"), "{text}");
        assert!(text.contains("        shop:\n") && !text.contains("docker run"), "{text}");
    }
}

#[test]
fn tasks_of_a_swarm_service_are_one_and_published_where_they_run() {
    let mut scene = Scene::new();
    let labels =
        [("com.docker.swarm.service.name", "shop_s"), ("com.docker.stack.namespace", "shop")];
    for name in ["shop_s.1.k3v9w", "shop_s.1.x81hq"] {
        let task = labelled(name, MADE, &[], &labels);
        let container = crate::event::Container {
            image: "web:1".to_owned(),
            ..task.container.as_deref().cloned().unwrap()
        };
        let task = Owner { container: Some(Arc::new(container)), ..(*task).clone() };
        serve(&mut scene, &Arc::new(task), 80);
    }
    for wanted in ["shop_s", "s", "shop_s.1.k3v9w"] {
        let [advice] = scene.called(wanted).try_into().unwrap();
        assert_eq!(advice.label, "shop_s");
        let expected = "--publish published=80,target=80,protocol=tcp,mode=host";
        assert_eq!(run(&advice), expected, "{wanted}");
        let text = text(&advice);
        assert!(text.contains("in your docker service create command"), "{text}");
        assert!(text.contains("{target: 80, published: 80, protocol: tcp, mode: host}"), "{text}");
        assert!(!text.contains("docker run"), "{text}");
    }
    // Swarm has no way to publish at one address.
    let labels = [("com.docker.swarm.service.name", "local")];
    scene.by(labelled("local.1.abc", MADE, &[], &labels));
    scene.listen("[::]:90");
    scene.accept_from("127.0.0.1:90", "127.0.0.1:5000", unit("nginx.service"));
    let [advice] = scene.called("local").try_into().unwrap();
    assert_eq!(advice.verdict.answer, Answer::Needed, "{:?}", advice.verdict);
}

#[test]
fn a_container_of_a_pod_is_published_by_its_pod() {
    let mut scene = Scene::new();
    let infra = labelled("9c-infra", MADE, &[], &[]);
    let id = infra.container_id.clone().unwrap();
    scene.by(infra);
    scene.act(Joined { declared: Some("host".to_owned()) }, 0);
    let web = labelled("web", MADE, &[], &[]);
    let container = crate::event::Container {
        runtime: "podman".to_owned(),
        network_mode: format!("container:{id}"),
        pod: "shop".to_owned(),
        ..web.container.as_deref().cloned().unwrap()
    };
    let web = Arc::new(Owner { container: Some(Arc::new(container)), ..(*web).clone() });
    scene.by(Arc::clone(&web));
    scene.act(Joined { declared: Some(format!("container:{id}")) }, 0);
    serve(&mut scene, &web, 80);
    let text = text(&scene.called("web")[0]);
    let condition = "the containers of its pod shop share one network";
    assert!(text.contains(condition), "{text}");
    let expected = "in your podman pod create command, replace --network host by\n      -p 80:80";
    assert!(text.contains(expected), "{text}");
    let [infra] = scene.called("9c-infra").try_into().unwrap();
    let because = infra.verdict.because.join("; ");
    assert!(because.contains("it holds the network of web"), "{because}");
}

#[test]
fn very_many_ports_are_a_page_with_the_condition_first() {
    let mut scene = Scene::new();
    for port in (20_000..26_000).step_by(2) {
        let at = format!("[::]:{port}");
        scene.bind(&at, &at, UDP);
        scene.receive(&format!("10.0.0.2:{port}"), "10.0.0.9:5000");
    }
    scene.pass(DAY);
    let advice = scene.advice();
    assert_eq!(advice.change.docker_run.len(), 6000);
    let text = text(&advice);
    assert!(text.lines().count() < 120, "{}", text.lines().count());
    let line = |words: &str| text.lines().position(|line| line.contains(words)).expect(words);
    assert!(line("3000 ports are published") < 12, "{text}");
    assert!(line("3000 ports are published") < line("-p 20000:20000/udp"), "{text}");
    assert!(text.contains("-p 20000-25998:20000-25998/udp is shorter"), "{text}");
    assert!(text.contains("  and 2980 more (--format json has all)"), "{text}");
}
