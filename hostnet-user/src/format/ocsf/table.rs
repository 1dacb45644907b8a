//! The rules compiled for each class: a tree of field names with, at each, where
//! its value goes and how it is made.

use std::{collections::HashMap, sync::LazyLock};

use super::{
    class::Role,
    rules::{How, RULES, Rule},
};
use crate::event::Class;

/// A place in the tree.
#[derive(Default)]
pub struct Node {
    /// What is done with the value here.
    pub rule: Option<Compiled>,
    /// What is below.
    pub below: HashMap<&'static str, Node>,
}

/// A rule with the places of one class.
pub struct Compiled {
    pub how: How,
    pub needs: Option<&'static str>,
    /// Paths of attributes; of what is said elsewhere, where.
    pub to: Vec<Vec<&'static str>>,
}

/// The tree for a class.
pub fn of(class: Class) -> &'static Node {
    static TABLES: LazyLock<Vec<Node>> =
        LazyLock::new(|| Class::ALL.iter().map(|class| compile(*class)).collect());
    &TABLES[class as usize]
}

/// Where a rule puts its value in a class: nowhere, when the class has no place.
fn places(rule: &Rule, class: Class) -> Vec<Vec<&'static str>> {
    rule.to.iter().flat_map(|to| place(to, class)).collect()
}

fn compile(class: Class) -> Node {
    let mut root = Node::default();
    for rule in RULES {
        let to = places(rule, class);
        if to.is_empty() {
            continue;
        }
        let mut node = &mut root;
        for name in rule.from.split('.') {
            node = node.below.entry(name).or_default();
        }
        node.rule = Some(Compiled { how: rule.how, needs: rule.needs, to });
    }
    root
}

/// `{role}.rest` in a class.
fn place(to: &'static str, class: Class) -> Vec<Vec<&'static str>> {
    let Some((role, rest)) = to.strip_prefix('{').and_then(|to| to.split_once('}')) else {
        return vec![to.split('.').collect()];
    };
    // A role that is misspelt has no place; a test finds it.
    let places = Role::named(role).map_or(&[][..], |role| class.places(role));
    let rest = rest.split('.').filter(|name| !name.is_empty());
    places.iter().map(|place| place.split('.').chain(rest.clone()).collect()).collect()
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
        for class in Class::ALL {
            let mut seen: Vec<(String, &str)> = Vec::new();
            for rule in RULES.iter().filter(|rule| rule.how != How::Said) {
                for to in places(rule, class) {
                    let to = to.join(".");
                    let clash = seen.iter().find(|(known, _)| *known == to);
                    assert!(clash.is_none(), "{to}: {} and {clash:?}", rule.from);
                    seen.push((to, rule.from));
                }
            }
        }
    }
}
