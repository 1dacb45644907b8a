//! Whose a cgroup is, by the runtime's word and by its path.

use super::*;

const ID: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const OTHER: &str = "6aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";

fn tree(paths: &[&str]) -> CgroupTree {
    let mut tree = CgroupTree::default();
    for (index, path) in paths.iter().enumerate() {
        tree.insert(index as u64 + 1, (*path).to_owned());
    }
    tree
}

/// What an inspect and /proc say of a running container.
fn container(id: &str, cgroup_path: &str, mount_namespace: u32) -> Container {
    Container {
        id: id.to_owned(),
        name: "web".to_owned(),
        created: "now".to_owned(),
        pid: 10,
        cgroup_path: cgroup_path.to_owned(),
        mount_namespace,
        ..Container::default()
    }
}

fn confirmed(registry: &mut ContainerRegistry, tree: &CgroupTree, container: Container) {
    registry.containers.describe(container.clone());
    registry.confirm(&container, tree);
}

/// Kind, id, confidence and the names below, of cgroup `id`.
fn owner(
    registry: &mut ContainerRegistry,
    tree: &CgroupTree,
    id: u64,
) -> (OwnerKind, Option<String>, Confidence, Vec<String>) {
    let owner = registry.owner(id, tree);
    (owner.kind, owner.container_id.clone(), owner.confidence, owner.nested.clone())
}

fn a_container(confidence: Confidence) -> (OwnerKind, Option<String>, Confidence, Vec<String>) {
    (OwnerKind::Container, Some(ID.to_owned()), confidence, Vec::new())
}

#[test]
fn confidence_follows_the_proof() {
    let tree = tree(&["/", &format!("/docker/{ID}"), &format!("/docker/{ID}/child")]);
    let mut registry = ContainerRegistry::default();
    assert_eq!(owner(&mut registry, &tree, 2), a_container(Confidence::Path));
    registry.containers.describe(container(ID, "", 0));
    assert_eq!(owner(&mut registry, &tree, 2), a_container(Confidence::Runtime));
    confirmed(&mut registry, &tree, container(ID, &format!("/docker/{ID}"), 5));
    for id in [2, 3] {
        assert_eq!(owner(&mut registry, &tree, id), a_container(Confidence::Confirmed));
    }
    assert_eq!(registry.owner(1, &tree).kind, OwnerKind::Host);
    assert_eq!(registry.owner(99, &tree).kind, OwnerKind::Unknown);
}

#[test]
fn the_runtime_may_be_faster_than_the_kernels_record() {
    let (mut registry, mut tree) = (ContainerRegistry::default(), tree(&["/"]));
    confirmed(&mut registry, &tree, container(ID, &format!("/docker/{ID}"), 5));
    tree.insert(7, format!("/docker/{ID}"));
    registry.appeared(7, &format!("/docker/{ID}"));
    assert_eq!(owner(&mut registry, &tree, 7), a_container(Confidence::Confirmed));
}

#[test]
fn a_name_below_a_container_is_only_a_claim() {
    let victim = format!("/docker/{OTHER}");
    let child = format!("/docker/{ID}/docker-{OTHER}.scope");
    let tree = tree(&["/", &format!("/docker/{ID}"), &victim, &child, &format!("{child}/x")]);
    let mut registry = ContainerRegistry::default();
    let nested = |confidence| {
        (OwnerKind::Container, Some(ID.to_owned()), confidence, vec![OTHER.to_owned()])
    };
    assert_eq!(owner(&mut registry, &tree, 4), nested(Confidence::Path));
    assert_eq!(registry.spoofed(4, &tree), None, "nobody knows of the other yet");
    confirmed(&mut registry, &tree, container(OTHER, &victim, 6));
    assert_eq!(owner(&mut registry, &tree, 4), nested(Confidence::Path));
    confirmed(&mut registry, &tree, container(ID, &format!("/docker/{ID}"), 5));
    assert_eq!(owner(&mut registry, &tree, 4), nested(Confidence::Confirmed));
    assert_eq!(registry.spoofed(4, &tree).as_deref(), Some(OTHER));
    assert_eq!(registry.spoofed(5, &tree), None, "it has no such name of its own");
    for id in [1, 2, 3] {
        assert_eq!(registry.spoofed(id, &tree), None);
    }
}

#[test]
fn a_name_beside_a_container_is_nobodys() {
    let sibling = format!("/docker/docker-{ID}.scope");
    let tree = tree(&["/", &format!("/docker/{ID}"), &sibling, &format!("/{ID}")]);
    let mut registry = ContainerRegistry::default();
    confirmed(&mut registry, &tree, container(ID, &format!("/docker/{ID}"), 5));
    for id in [3, 4] {
        assert_eq!(registry.owner(id, &tree).kind, OwnerKind::Unknown);
        assert_eq!(registry.spoofed(id, &tree).as_deref(), Some(ID));
    }
}

/// The process id may be another process' by the time /proc is asked. What was
/// refused once is looked at again with the runtime's next word (E42).
#[test]
fn a_process_of_another_container_confirms_nothing() {
    let (own, others) = (format!("/docker/{ID}"), format!("/docker/{OTHER}"));
    let tree = tree(&["/", &others, &own]);
    let mut registry = ContainerRegistry::default();
    confirmed(&mut registry, &tree, container(OTHER, &others, 6));
    confirmed(&mut registry, &tree, container(ID, &own, 6));
    assert_eq!(owner(&mut registry, &tree, 3), a_container(Confidence::Runtime));
    confirmed(&mut registry, &tree, container(ID, &own, 7));
    assert_eq!(owner(&mut registry, &tree, 3), a_container(Confidence::Confirmed));
}

#[test]
fn a_restart_has_a_cgroup_of_its_own() {
    let path = format!("/docker/{ID}");
    let (mut registry, mut tree) = (ContainerRegistry::default(), tree(&["/", &path]));
    confirmed(&mut registry, &tree, container(ID, &path, 5));
    tree.remove(2);
    tree.bury(2, 100, &Owner::unknown(2, None));
    tree.insert(9, path.clone());
    registry.appeared(9, &path);
    assert_eq!(owner(&mut registry, &tree, 9), a_container(Confidence::Runtime));
    assert_eq!(owner(&mut registry, &tree, 2), a_container(Confidence::Confirmed));
    confirmed(&mut registry, &tree, container(ID, &path, 8));
    assert_eq!(owner(&mut registry, &tree, 9), a_container(Confidence::Confirmed));
    for (cgroup, path) in tree.expire(u64::MAX) {
        registry.forget_cgroup(cgroup, &path);
    }
    assert_eq!(registry.owner(2, &tree).kind, OwnerKind::Unknown);
    assert_eq!(owner(&mut registry, &tree, 9), a_container(Confidence::Confirmed));
}

#[test]
fn with_cgroup_v1_only_the_root_cgroup_is_nobodys() {
    let mut registry = ContainerRegistry::new(true);
    assert_eq!(registry.owner(1, &tree(&["/"])).kind, OwnerKind::Unknown);
    let owner = registry.owner_in_v1(&format!("/docker/{ID}"), 1).expect("a container");
    assert_eq!((owner.kind, owner.confidence), (OwnerKind::Container, Confidence::Path));
    assert_eq!(owner.method, Method::CgroupV1Path);
    assert!(registry.owner_in_v1("/user.slice", 1).is_none());
    registry.containers.describe(container(ID, "", 0));
    let renewed = registry.renewed(&Arc::new(owner), &CgroupTree::default());
    assert_eq!((renewed.label(), renewed.confidence), ("web", Confidence::Path));
}

#[test]
fn a_container_that_is_gone_keeps_its_name() {
    let mut tree = CgroupTree::default();
    tree.insert(2, format!("/docker/{ID}"));
    let mut registry = ContainerRegistry::default();
    registry.containers.describe(container(ID, "", 0));
    registry.containers.gone(ID);
    assert_eq!(registry.owner(2, &tree).label(), "web");
}

/// Whoever completes its earlier events has to find it.
#[test]
fn a_container_is_found_before_its_cgroup_is_confirmed() {
    let (path, mut tree) = (format!("/docker/{ID}"), CgroupTree::default());
    tree.insert(2, path.clone());
    let mut registry = ContainerRegistry::default();
    registry.appeared(2, &path);
    registry.containers.describe(container(ID, "", 0));
    let owner = registry.owner_of_container(ID, &tree).expect("a cgroup bears its name");
    assert_eq!((owner.cgroup_id, owner.label()), (2, "web"));
}
