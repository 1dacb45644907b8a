//! The modules of each crate, and in which of them a path ends.

use std::collections::BTreeMap;

use super::paths::{ALL, Path, Source};
use crate::tidy::{File, search::rust};

/// Crates whose root no name tells.
const ROOTS: [&str; 1] = ["hostnet-ebpf/src/abi/mod.rs"];

/// Folders in which each file is a crate.
const OF_CRATES: [&str; 4] = ["benches", "bin", "examples", "tests"];

/// How many imports are followed from one to the next.
const MOST_STEPS: usize = 8;

/// A module that is a file.
pub struct Module<'a> {
    /// Names of modules from the crate's root on.
    pub name: Vec<String>,
    pub file: &'a str,
    pub source: &'a Source,
}

/// A crate, by its modules.
pub struct Crate<'a> {
    /// The folder of its root.
    pub folder: &'a str,
    pub modules: BTreeMap<Vec<String>, Module<'a>>,
}

/// One file names something of another.
pub struct Use<'a> {
    pub from: &'a Module<'a>,
    pub to: &'a Module<'a>,
    pub path: &'a Path,
}

/// What each Rust file says.
pub fn sources(files: &[File]) -> BTreeMap<&str, Source> {
    rust(files).map(|file| (file.path.as_str(), Source::of(&file.text))).collect()
}

/// All crates: each file that is the root of one, with those that it declares.
pub fn crates<'a>(sources: &'a BTreeMap<&'a str, Source>) -> Vec<Crate<'a>> {
    let roots = sources.keys().filter(|path| is_root(path));
    let each = roots.map(|&root| {
        let folder = folder(root);
        let mut modules = BTreeMap::new();
        declare(sources, root, folder, Vec::new(), &mut modules);
        Crate { folder, modules }
    });
    each.collect()
}

fn is_root(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let of_crates = folder(path).rsplit('/').next().is_some_and(|last| OF_CRATES.contains(&last));
    ["build.rs", "lib.rs", "main.rs"].contains(&name)
        || (of_crates && name != "mod.rs")
        || ROOTS.contains(&path)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Adds a file and the modules that it declares, which are in this folder.
fn declare<'a>(
    sources: &'a BTreeMap<&'a str, Source>,
    file: &'a str,
    below: &str,
    name: Vec<String>,
    modules: &mut BTreeMap<Vec<String>, Module<'a>>,
) {
    let Some(source) = sources.get(file) else { return };
    for child in source.modules.iter().chain(&more(sources, source, below)) {
        let below = format!("{below}/{child}");
        let places = [format!("{below}.rs"), format!("{below}/mod.rs")];
        let found = places.iter().find_map(|place| sources.get_key_value(place.as_str()));
        if let Some((&file, _)) = found {
            let name = name.iter().chain([child]).cloned().collect();
            declare(sources, file, &below, name, modules);
        }
    }
    modules.insert(name.clone(), Module { name, file, source });
}

/// Modules in a folder that a macro declares where the file calls one that does: those that
/// nothing else declares.
fn more(sources: &BTreeMap<&str, Source>, source: &Source, folder: &str) -> Vec<String> {
    let name = |path: &str| {
        let inside = path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".rs")?;
        let name = inside.strip_suffix("/mod").unwrap_or(inside);
        let is_other = ["lib", "main", "mod", "tests"].contains(&name) || name.contains('/');
        let is_declared = source.modules.iter().chain(&source.of_tests).any(|it| it == name);
        (!is_other && !is_declared).then(|| name.to_owned())
    };
    let mut declaring = sources.values().flat_map(|other| &other.declaring);
    let has_more = declaring.any(|name| source.called.contains(name));
    sources.keys().filter(|_| has_more).filter_map(|path| name(path)).collect()
}

impl Crate<'_> {
    /// Every use of one file by another.
    pub fn uses(&self) -> Vec<Use<'_>> {
        let each = self.modules.values().flat_map(move |from| {
            from.source.paths.iter().filter_map(move |path| {
                let to = self.end(from, path, MOST_STEPS)?;
                (to.name != from.name).then_some(Use { from, to, path })
            })
        });
        each.collect()
    }

    /// The module that has what a path of another names; `None` of another crate's.
    fn end(&self, of: &Module<'_>, path: &Path, steps: usize) -> Option<&Module<'_>> {
        let steps = steps.checked_sub(1)?;
        let (mut module, mut segments) = (of.name.clone(), path.segments.as_slice());
        match segments.first()?.as_str() {
            "crate" => {
                module.clear();
                segments = &segments[1..];
            }
            "self" | "super" => {
                let mut inside = path.inside;
                while let Some((first, rest)) = segments.split_first() {
                    match first.as_str() {
                        "self" => {}
                        "super" if inside > 0 => inside -= 1,
                        "super" => {
                            module.pop()?;
                        }
                        _ => break,
                    }
                    segments = rest;
                }
            }
            first if !self.has(&module, first) => {
                // What another import of the file calls so; in code that is a use already.
                path.name.as_ref()?;
                let mut others = of.source.imported(first);
                let import =
                    others.find(|other| other.segments.first().is_some_and(|it| it != first))?;
                let segments = import.segments.iter().chain(&segments[1..]).cloned().collect();
                return self.end(of, &Path { segments, ..import.clone() }, steps);
            }
            _ => {}
        }
        while let Some((first, rest)) = segments.split_first().filter(|it| self.has(&module, it.0))
        {
            module.push(first.clone());
            segments = rest;
        }
        let module = self.modules.get(&module)?;
        let home = segments.first().and_then(|item| self.home(module, item, steps));
        Some(home.unwrap_or(module))
    }

    /// The module that defines an item which another one has, itself or by an import.
    fn home<'m>(
        &'m self,
        module: &'m Module<'m>,
        item: &str,
        steps: usize,
    ) -> Option<&'m Module<'m>> {
        let steps = steps.checked_sub(1)?;
        if module.source.defined.contains(item) {
            return Some(module);
        }
        if let Some(import) = module.source.imported(item).next() {
            return self.end(module, import, steps);
        }
        let mut all = module.source.imported(ALL);
        let found = all.find_map(|all| self.home(self.end(module, all, steps)?, item, steps));
        // What a macro passes on is in one of the modules that it declares.
        found.or_else(|| self.declared(module).find(|below| below.source.defined.contains(item)))
    }

    /// The modules of one that no file declares: a macro does.
    fn declared<'m>(&'m self, module: &'m Module<'m>) -> impl Iterator<Item = &'m Module<'m>> {
        let is_below = |other: &&Module<'_>| {
            let last = other.name.split_last();
            last.is_some_and(|(last, above)| {
                *above == module.name && !module.source.modules.contains(last)
            })
        };
        self.modules.values().filter(is_below)
    }

    fn has(&self, module: &[String], child: &str) -> bool {
        let name: Vec<String> = module.iter().cloned().chain([child.to_owned()]).collect();
        self.modules.contains_key(&name)
    }
}
