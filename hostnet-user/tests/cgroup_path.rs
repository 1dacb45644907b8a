//! The parser of cgroup paths against paths seen in the field.

use hostnet::attribute::cgroups::path::{claims, owner};
use proptest::prelude::*;

const CORPUS: &str = include_str!("data/cgroup_corpus.tsv");

struct Row {
    number: &'static str,
    path: String,
    /// Every id the parser must find, outermost first.
    expected: Vec<String>,
}

const A: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
const B: &str = "2403ccfe427f1dc7b6120dccb9ac58c2f8456950380d587a9f33ea7f00dd303d";
/// These, and `A`, stand in for the placeholders of templates.
const STEP: &str = "w8fzqsmq1nq3cn1rqzpfnbyml";
const MACHINE: &str = "webhost";
const GARDEN: &str = "69fac2be-4c4e-4c2a-4c4e-0a1b";

fn rows() -> Vec<Row> {
    CORPUS.lines().skip(1).map(row).collect()
}

fn row(line: &'static str) -> Row {
    let fields: Vec<&str> = line.split('\t').collect();
    let &[number, path, _runtime, _scenario, owner, nested, _source] = &fields[..] else {
        panic!("a row has seven columns: {line}");
    };
    let (path, owner) = match number {
        "9" => (path.replace("<longid>", A), owner.replace("<longid>", A)),
        "18" => (path.replace("<25-char-id>", STEP), owner.replace("<id>", STEP)),
        "19" => (path.replace("{runc-container-id}", STEP), owner.replace("<id>", STEP)),
        "66" => (path.replace("<containerid>", MACHINE), owner.replace("<machine>", MACHINE)),
        "69" => (format!("/garden/{GARDEN}"), owner.replace("<id>", GARDEN)),
        "80" => (lossy(path), owner.to_owned()),
        _ => (path.to_owned(), owner.to_owned()),
    };
    assert!(!path.contains(['<', '{']) || number == "80", "row {number} is a template");
    // Text after the id is a remark. UNKNOWN is the registry's verdict on a
    // forged name: the parser can only report what the path claims.
    let ids = [owner.as_str(), nested]
        .into_iter()
        .filter_map(|column| column.split(' ').next())
        .filter(|id| !matches!(*id, "-" | "UNKNOWN"));
    Row { number, expected: ids.map(str::to_owned).collect(), path }
}

/// Row 80 writes its bytes as escapes; a caller decodes them lossily.
fn lossy(path: &str) -> String {
    path.replace("\\x1b", "\x1b").replace("\\xff", "\u{fffd}")
}

#[test]
fn every_row_of_the_corpus() {
    let rows = rows();
    assert_eq!(rows.len(), 65);
    for Row { number, path, expected } in rows {
        let found: Vec<_> = claims(&path).map(|claim| claim.qualified_id()).collect();
        assert_eq!(found, expected, "row {number}: {path}");
        assert_eq!(owner(&path), claims(&path).next(), "row {number}: {path}");
    }
}

fn ids(path: &str) -> Vec<(String, &'static str)> {
    claims(path).map(|claim| (claim.qualified_id().into_owned(), claim.runtime.name())).collect()
}

fn of(id: &str, runtime: &'static str) -> (String, &'static str) {
    (id.to_owned(), runtime)
}

#[test]
fn runtime_is_read_from_what_stands_around_the_id() {
    assert_eq!(ids(&format!("/docker/{A}")), [of(A, "docker")]);
    assert_eq!(ids(&format!("/ecs/cluster/task/{A}")), [of(A, "docker")]);
    assert_eq!(ids(&format!("/kubepods/besteffort/podx/{A}")), [of(A, "kubernetes")]);
    assert_eq!(ids(&format!("/x.slice/crun-{A}.scope")), [of(A, "unknown")]);
    assert_eq!(ids(&format!("/{A}.scope")), [of(A, "unknown")]);
}

#[test]
fn the_hint_ends_at_the_container_it_was_for() {
    assert_eq!(ids(&format!("/docker/{A}/{B}")), [of(A, "docker"), of(B, "unknown")]);
}

#[test]
fn build_steps_of_dockerd_with_the_systemd_driver() {
    let step = format!("buildkit:{STEP}");
    assert_eq!(ids(&format!("/system.slice/docker-{STEP}.scope")), [of(&step, "buildkit")]);
    assert_eq!(
        ids(&format!("/docker/{A}/buildkit/{STEP}")),
        [of(A, "docker"), of(&step, "buildkit")]
    );
}

#[test]
fn a_pod_of_podman_is_not_a_container() {
    assert_eq!(ids(&format!("/libpod_parent/{A}/libpod-{B}")), [of(B, "podman")]);
    assert_eq!(ids(&format!("/libpod_parent/{A}")), []);
}

#[test]
fn units_that_carry_an_id_but_run_on_the_host() {
    for path in [
        format!("/system.slice/{A}.service"),
        format!("/system.slice/{A}-3266b7b4.service"),
        format!("/system.slice/var-lib-docker-containers-{A}-mounts-shm.mount"),
        format!("/kubepods-pod1.slice:crio-conmon:{A}"),
        format!("/foo-{A}"),
        format!("/-{A}.scope"),
        format!("/docker/{A}0"),
        format!("/docker/{}", A.to_uppercase()),
    ] {
        assert_eq!(ids(&path), [], "{path}");
    }
}

#[test]
fn lxc_in_its_three_layouts_and_nested() {
    for path in ["/lxc/web/ns", "/lxc.payload/web", "/lxc.payload.web/init.scope"] {
        assert_eq!(ids(path), [of("web", "lxc")], "{path}");
    }
    assert_eq!(ids("/lxc.payload.a/lxc.payload.b"), [of("a", "lxc"), of("b", "lxc")]);
    assert_eq!(ids("/lxc.monitor/web"), []);
    assert_eq!(ids(&format!("/lxc.monitor/{A}")), []);
    assert_eq!(ids("/lxc.payload."), []);
}

#[test]
fn machines() {
    assert_eq!(
        ids("/machine.slice/machine-my\\x2dhost.scope/payload/init.scope"),
        [of("nspawn:my-host", "nspawn")]
    );
    // Every escape is undone, and what is none stays.
    assert_eq!(
        ids("/machine.slice/machine-a\\x40b\\xc3\\xa9\\xzz.scope"),
        [of("nspawn:a@b\u{e9}\\xzz", "nspawn")]
    );
    // A machine may be called so without libvirt.
    assert_eq!(
        ids("/machine.slice/machine-lxc\\x2dweb.scope/payload"),
        [of("nspawn:lxc-web", "nspawn")]
    );
}

#[test]
fn libvirts_containers_bear_their_own_names_and_its_virtual_machines_none() {
    for (path, name) in [
        ("/machine.slice/machine-lxc\\x2d969\\x2dhubud0xians01.scope/libvirt", "hubud0xians01"),
        ("/machine.slice/machine-lxc\\x2d969\\x2dhubud0xians01.scope", "hubud0xians01"),
        ("/machine.slice/machine-lxc\\x2d1\\x2da\\x2db.scope/libvirt/sub", "a-b"),
        ("/machine.slice/machine-lxc\\x2dweb.scope/libvirt", "web"),
        ("/machine/lxc-969-web.libvirt-lxc", "web"),
        ("/machine/lxc-969-a-b.libvirt-lxc/system.slice/ssh.service", "a-b"),
        ("/libvirt/lxc/web", "web"),
    ] {
        assert_eq!(ids(path), [of(&format!("libvirt-lxc:{name}"), "libvirt-lxc")], "{path}");
    }
    for path in [
        "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
        "/machine.slice/machine-qemu\\x2d12\\x2dlxc\\x2d1\\x2dx.scope/libvirt/vcpu0",
        "/machine.slice/machine-qemu\\x2dvm.scope",
        "/machine.slice/machine-ch\\x2d3\\x2dvm.scope",
        "/machine/qemu-1-vm.libvirt-qemu/emulator",
        "/libvirt/qemu/vm/vcpu0",
        "/system.slice/systemd-vmspawn@vm.service",
    ] {
        assert_eq!(ids(path), [], "{path}");
    }
}

#[test]
fn seen_from_elsewhere_or_already_removed() {
    assert_eq!(ids(&format!("/../../docker/{A} (deleted)")), [of(A, "docker")]);
    assert_eq!(ids("/../default/web (deleted)"), [of("web", "containerd")]);
}

#[test]
fn a_two_level_cgroup_is_only_a_guess() {
    assert!(owner("/default/web").is_some_and(|claim| claim.is_guess));
    assert!(owner(&format!("/default/{A}")).is_some_and(|claim| !claim.is_guess));
    for path in [
        "/default",
        "/a/b/c",
        "/kubepods/besteffort",
        "/user/1000.user",
        "/x/-a",
        "/x/conmon",
        "/x/\u{e9}",
    ] {
        assert_eq!(ids(path), [], "{path}");
    }
}

/// Components of the corpus, and of nothing in particular.
fn component() -> impl Strategy<Value = String> {
    let known: Vec<String> = rows()
        .iter()
        .flat_map(|row| row.path.split('/').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    prop_oneof![
        4 => prop::sample::select(known),
        1 => "[a-f0-9]{62,66}",
        1 => "(lxc|lxc.payload|buildkit|garden|\\.\\.)",
        1 => "[^/]{0,12}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(component(), 0..7).prop_map(|parts| format!("/{}", parts.join("/")))
}

/// A path of the corpus that names a container without guessing.
fn owned_path() -> impl Strategy<Value = String> {
    let named = |path: &String| owner(path).is_some_and(|claim| !claim.is_guess);
    prop::sample::select(rows().into_iter().map(|row| row.path).filter(named).collect::<Vec<_>>())
}

/// Whether `part` is the address range of a slice of `whole`.
fn is_slice_of(part: &str, whole: &str) -> bool {
    let whole = whole.as_bytes().as_ptr_range();
    let part = part.as_bytes().as_ptr_range();
    whole.start <= part.start && part.end <= whole.end
}

/// Some here, as many as `PROPTEST_CASES` says elsewhere.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    let is_chosen = std::env::var_os("PROPTEST_CASES").is_some();
    if is_chosen { config } else { ProptestConfig::with_cases(2_000) }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_id_is_invented(path in prop_oneof![path(), any::<String>(), ".{0,200}"]) {
        prop_assert!(claims(&path).count() <= path.split('/').count());
        for claim in claims(&path) {
            prop_assert!(!claim.id.is_empty() && !claim.id.contains('/'));
            prop_assert!(is_slice_of(claim.id, &path));
        }
    }

    /// Whoever may create cgroups below their container cannot change its owner.
    #[test]
    fn no_child_takes_a_container_from_its_owner(outer in owned_path(), child in path()) {
        let inner = format!("{outer}{child}");
        prop_assert_eq!(owner(&inner), owner(&outer));
    }

    #[test]
    fn a_path_of_ordinary_names_has_no_container(
        parts in prop::collection::vec("[a-z0-9_.@-]{0,11}(|\\.slice|\\.service|\\.scope)", 0..8)
    ) {
        // Short of an id, only these prefixes make a container.
        let named = |part: &String| part.starts_with("lxc") || part.starts_with("machine-");
        prop_assume!(!parts.iter().any(named));
        let path = format!("/{}", parts.join("/"));
        prop_assert!(claims(&path).all(|claim| claim.is_guess), "{}", path);
    }
}
