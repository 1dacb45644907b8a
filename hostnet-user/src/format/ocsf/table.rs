//! The rules compiled for each version and class, and all that an event can have: where the
//! value of a field goes there is found by the rule's number alone.

use std::sync::OnceLock;

use super::{
    class::Role,
    places::{Place, Places},
    rules::{How, RULES, Rule},
    version::Version,
};
use crate::{
    event::Class,
    format::{side::Side, tree::Tree},
};

/// What events of a version and class are made by.
pub struct Table {
    pub version: Version,
    /// All attributes that they can have.
    pub names: Tree<()>,
    /// Those that are put beside the rules'.
    pub places: Places,
    /// The rules that the class has a place for, by which of its ends is ours.
    rules: [Vec<Option<Compiled>>; 2],
}

/// A rule with the places of one class.
pub struct Compiled {
    pub rule: &'static Rule,
    /// Where each value of it goes: [`How::attributes`]. Of what others say, nowhere.
    pub to: Vec<Vec<Place>>,
}

impl Table {
    /// The table for a class in a version.
    pub fn of(version: Version, class: Class) -> &'static Self {
        static TABLES: [[OnceLock<Table>; Class::ALL.len()]; Version::ALL.len()] =
            [const { [const { OnceLock::new() }; Class::ALL.len()] }; Version::ALL.len()];
        TABLES[version as usize][class as usize].get_or_init(|| Self::new(version, class))
    }

    fn new(version: Version, class: Class) -> Self {
        let mut names = Tree::new(());
        for (rule, ours) in RULES.iter().flat_map(|rule| Side::BOTH.map(|ours| (rule, ours))) {
            let places = places(rule, class, ours, version);
            let attributes = places.iter().flat_map(|to| rule.how.attributes(to));
            attributes.for_each(|path| {
                names.add_path(&path);
                // Where nothing but the container would be evidence, it is the device's.
                if let Some(rest) = path.strip_prefix("evidences.container") {
                    names.add_path(&format!("device.container{rest}"));
                }
            });
        }
        Places::find(|path| {
            if version.has(path) {
                names.add_path(path);
            }
            Place::default()
        });
        names.make_list("evidences");
        names.sort();
        let places = Places::find(|path| names.places(path).into());
        let rules = Side::BOTH.map(|ours| compile(&names, class, ours, version));
        Self { version, names, places, rules }
    }

    /// The rules, by their numbers.
    pub fn rules(&self, ours: Side) -> &[Option<Compiled>] {
        &self.rules[ours as usize]
    }
}

fn compile(names: &Tree<()>, class: Class, ours: Side, version: Version) -> Vec<Option<Compiled>> {
    let at = |path: &String| Place::from(names.places(path));
    let compile = |rule: &'static Rule| {
        let places = places(rule, class, ours, version);
        let to = places.iter().map(|to| rule.how.attributes(to).iter().map(at).collect()).collect();
        (!places.is_empty()).then_some(Compiled { rule, to })
    };
    RULES.iter().map(compile).collect()
}

/// Where a rule puts its value in a class: nowhere, when the class has no place.
fn places(rule: &Rule, class: Class, ours: Side, version: Version) -> Vec<String> {
    let exact = |place: String| match place.split_once('.') {
        Some(("local_endpoint", rest)) => format!("{}.{rest}", ours.local()),
        Some(("remote_endpoint", rest)) => format!("{}.{rest}", ours.remote()),
        Some(("evidences", rest)) if rest.starts_with("container") && !version.has(&place) => {
            format!("device.{rest}")
        }
        _ => place,
    };
    let places = rule.to.iter().flat_map(|to| place(to, class)).map(exact);
    places.filter(|place| rule.how == How::Said || version.has(place)).collect()
}

/// `{role}.rest` in a class.
fn place(to: &'static str, class: Class) -> Vec<String> {
    let Some((role, rest)) = to.strip_prefix('{').and_then(|to| to.split_once('}')) else {
        return vec![to.to_owned()];
    };
    // A role that is misspelt has no place; a test finds it.
    let places = Role::named(role).map_or(&[][..], |role| class.places(role));
    places.iter().map(|place| format!("{place}{rest}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_known_and_every_row_has_a_place_in_some_class() {
        for rule in RULES {
            for to in rule.to {
                let role = to.strip_prefix('{').and_then(|to| to.split_once('}'));
                assert!(role.is_none_or(|(role, _)| Role::named(role).is_some()), "{to}");
                assert!(Class::ALL.iter().any(|class| !place(to, *class).is_empty()), "{to}");
            }
        }
    }

    #[test]
    fn a_class_is_found_by_its_place() {
        for (index, class) in Class::ALL.iter().enumerate() {
            assert_eq!(*class as usize, index);
        }
        for (index, version) in Version::ALL.iter().enumerate() {
            assert_eq!(*version as usize, index);
        }
    }

    /// Else one of the two would be lost.
    #[test]
    fn no_field_has_two_rows_and_none_is_inside_another() {
        for one in RULES {
            let inside = format!("{}.", one.from);
            let others = RULES.iter().filter(|other| !std::ptr::eq(one, *other));
            for other in others {
                assert!(other.from != one.from && !other.from.starts_with(&inside), "{}", one.from);
            }
        }
    }

    #[test]
    fn no_attribute_is_written_by_two_rows_of_a_class() {
        let each = |class| Version::ALL.map(|version| (class, version));
        for (class, version) in Class::ALL.into_iter().flat_map(each) {
            let mut seen: Vec<(String, &str)> = Vec::new();
            for rule in RULES {
                let places = places(rule, class, Side::Source, version);
                for to in places.iter().flat_map(|to| rule.how.attributes(to)) {
                    let clash = seen.iter().find(|(known, _)| *known == to);
                    assert!(clash.is_none(), "{to}: {} and {clash:?}", rule.from);
                    seen.push((to, rule.from));
                }
            }
        }
    }
}
