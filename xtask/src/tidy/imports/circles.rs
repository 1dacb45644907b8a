//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which node has arrows to which.
pub type Arrows<'n> = BTreeMap<&'n str, BTreeSet<&'n str>>;

/// Nodes that all lead to each other, and one way around.
#[derive(Debug, PartialEq, Eq)]
pub struct Circle<'n> {
    pub members: BTreeSet<&'n str>,
    /// From the first member back to it, which is not named twice.
    pub way: Vec<&'n str>,
}

/// Every circle, those with nodes in common as one.
pub fn circles<'n>(arrows: &Arrows<'n>) -> Vec<Circle<'n>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        arrows.keys().map(|&node| (node, from(node, arrows).into_keys().collect())).collect();
    let leads = |from: &str, to: &str| reached.get(from).is_some_and(|nodes| nodes.contains(to));
    let mut found: Vec<Circle<'n>> = Vec::new();
    for &node in arrows.keys() {
        if !leads(node, node) || found.iter().any(|circle| circle.members.contains(node)) {
            continue;
        }
        let members = reached[node].iter().copied().filter(|other| leads(other, node)).collect();
        found.push(Circle { members, way: way_around(node, arrows) });
    }
    found
}

/// The nodes that one leads to, each with the node before it on a shortest way.
fn from<'n>(start: &'n str, arrows: &Arrows<'n>) -> BTreeMap<&'n str, &'n str> {
    let mut before = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(node) = next.pop_front() {
        for &to in arrows.get(node).into_iter().flatten() {
            if !before.contains_key(to) {
                before.insert(to, node);
                next.push_back(to);
            }
        }
    }
    before
}

/// A shortest way from a node of a circle back to it.
fn way_around<'n>(start: &'n str, arrows: &Arrows<'n>) -> Vec<&'n str> {
    let before = from(start, arrows);
    let mut way = vec![start];
    while let Some(&node) = before.get(way[way.len() - 1]).filter(|node| **node != start) {
        way.push(node);
    }
    way[1..].reverse();
    way
}
