//! Names in a tree: what a name means where it stands is found out once and kept, and JSON is
//! written along it. Nothing here knows what the names mean.

use std::{collections::HashMap, ops::Range};

use crate::text::json;

/// The node that all are below.
pub const ROOT: usize = 0;

/// The names of a schema, or those that documents were seen to have.
pub struct Tree<T> {
    nodes: Vec<Node<T>>,
    by_path: HashMap<Box<str>, usize>,
    /// The nodes in the order of their paths.
    sorted: Vec<usize>,
}

/// A name, and what is known of it.
pub struct Node<T> {
    /// What it means.
    pub about: T,
    name: Box<str>,
    path: Box<str>,
    /// The name as JSON, with its colon.
    key: Box<str>,
    /// The nodes above it, from the root.
    inside: Box<[usize]>,
    children: HashMap<Box<str>, usize>,
    /// The child that came first the last time, and the neighbour that came next.
    first: usize,
    next: usize,
    /// Its place among the sorted, and where what is below it ends.
    place: usize,
    end: usize,
    /// How its object is written: as itself, or as the only one of a list.
    brackets: (&'static str, &'static str),
}

impl<T> Node<T> {
    fn new(about: T, name: &str, path: Box<str>, inside: Box<[usize]>) -> Self {
        let key = format!("{}:", json::raw(&name).get()).into();
        let (name, children) = (name.into(), HashMap::new());
        let brackets = ("{", "}");
        let (first, next, place, end) = (ROOT, ROOT, 0, 0);
        Self { about, name, path, key, inside, children, first, next, place, end, brackets }
    }

    /// How many names its path has.
    pub fn depth(&self) -> usize {
        self.inside.len()
    }

    /// Its place among all in the order of their paths.
    pub fn place(&self) -> usize {
        self.place
    }
}

impl<T> Tree<T> {
    /// A tree with nothing but the root.
    pub fn new(about: T) -> Self {
        let root = Node::new(about, "", "".into(), Box::default());
        Self { nodes: vec![root], by_path: HashMap::new(), sorted: Vec::new() }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A node.
    pub fn node(&self, id: usize) -> &Node<T> {
        &self.nodes[id]
    }

    /// The node with this path.
    pub fn find(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// What `name` is in `parent`, where it comes after `previous`. One that is new is added
    /// with what `about` says of it and its path; `None` where that is nothing.
    pub fn child(
        &mut self,
        parent: usize,
        previous: Option<usize>,
        name: &str,
        about: impl FnOnce(&str, &str) -> Option<T>,
    ) -> Option<usize> {
        let nodes = &mut self.nodes;
        // Documents of one writer have their fields in one order.
        let guess = previous.map_or(nodes[parent].first, |previous| nodes[previous].next);
        if guess != ROOT && *nodes[guess].name == *name {
            return Some(guess);
        }
        let known = nodes[parent].children.get(name).copied();
        let id = match known {
            Some(id) => id,
            None => self.add(parent, name, about)?,
        };
        match previous {
            None => self.nodes[parent].first = id,
            Some(previous) => self.nodes[previous].next = id,
        }
        Some(id)
    }

    fn add(
        &mut self,
        parent: usize,
        name: &str,
        about: impl FnOnce(&str, &str) -> Option<T>,
    ) -> Option<usize> {
        let above = &self.nodes[parent];
        let path = match parent {
            ROOT => name.to_owned(),
            _ => format!("{}.{name}", above.path),
        };
        let inside: Box<[usize]> = above.inside.iter().copied().chain([parent]).collect();
        let about = about(name, &path)?;
        let id = self.nodes.len();
        // A name with a dot in it cannot be told from two.
        if path.split('.').count() == inside.len() {
            self.by_path.insert(path.as_str().into(), id);
        }
        self.nodes.push(Node::new(about, name, path.into(), inside));
        self.nodes[parent].children.insert(name.into(), id);
        Some(id)
    }

    /// Puts the nodes in order, where some are new.
    pub fn sort(&mut self) {
        if self.sorted.len() < self.nodes.len() {
            self.sorted.clear();
            self.sort_below(ROOT);
        }
    }

    fn sort_below(&mut self, id: usize) {
        self.nodes[id].place = self.sorted.len();
        self.sorted.push(id);
        let mut children: Vec<usize> = self.nodes[id].children.values().copied().collect();
        children.sort_unstable_by(|a, b| self.nodes[*a].name.cmp(&self.nodes[*b].name));
        for child in children {
            self.sort_below(child);
        }
        self.nodes[id].end = self.sorted.len();
    }

    /// The places of a node and of all below it; none where it is not known.
    pub fn places(&self, path: &str) -> Range<usize> {
        self.find(path).map_or(0..0, |id| self.nodes[id].place..self.nodes[id].end)
    }

    /// The path of what is at a place.
    pub fn path(&self, place: usize) -> &str {
        &self.nodes[self.sorted[place]].path
    }

    /// The node at a place.
    pub fn at(&self, place: usize) -> usize {
        self.sorted[place]
    }

    /// Appends fields, in the order of their places, as one object; `put` appends a value.
    pub fn write<V>(
        &self,
        fields: impl IntoIterator<Item = (usize, V)>,
        to: &mut Vec<u8>,
        put: impl Fn(V, &mut Vec<u8>),
    ) {
        let mut open = vec![ROOT];
        let mut is_first = true;
        to.push(b'{');
        for (id, value) in fields {
            let node = &self.nodes[id];
            let common = node.inside.iter().zip(&open).take_while(|(a, b)| a == b).count();
            for left in open.drain(common..).rev() {
                to.extend_from_slice(self.nodes[left].brackets.1.as_bytes());
                is_first = false;
            }
            for entered in &node.inside[common..] {
                self.key(*entered, &mut is_first, to);
                to.extend_from_slice(self.nodes[*entered].brackets.0.as_bytes());
                is_first = true;
                open.push(*entered);
            }
            self.key(id, &mut is_first, to);
            put(value, to);
        }
        for left in open.drain(..).rev() {
            to.extend_from_slice(self.nodes[left].brackets.1.as_bytes());
        }
    }

    fn key(&self, id: usize, is_first: &mut bool, to: &mut Vec<u8>) {
        if !std::mem::take(is_first) {
            to.push(b',');
        }
        to.extend_from_slice(self.nodes[id].key.as_bytes());
    }
}

impl<T: Default> Tree<T> {
    /// Adds a path, unless it is there.
    pub fn add_path(&mut self, path: &str) {
        path.split('.').fold(ROOT, |of, name| {
            self.child(of, None, name, |_, _| Some(T::default())).unwrap_or(of)
        });
    }

    /// Writes the object with this path as the only one of a list.
    pub fn make_list(&mut self, path: &str) {
        if let Some(id) = self.find(path) {
            self.nodes[id].brackets = ("[{", "}]");
        }
    }
}

/// Whether a path is another, or below it.
#[must_use]
pub fn is_inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_in_order_inside_the_objects_of_their_paths() {
        let mut tree = Tree::<()>::new(());
        for path in ["b.c.d", "b_c", "b.a", "a\"b", "b.c.a"] {
            tree.add_path(path);
        }
        tree.make_list("b.c");
        tree.sort();
        let all = 0..tree.len();
        let leaves =
            all.map(|place| tree.at(place)).filter(|id| tree.node(*id).children.is_empty());
        let mut text = Vec::new();
        tree.write(leaves.map(|id| (id, b'1')), &mut text, |value, to| to.push(value));
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, r#"{"a\"b":1,"b":{"a":1,"c":[{"a":1,"d":1}]},"b_c":1}"#);
        assert_eq!(tree.places("b").len(), 5);
        assert_eq!(tree.places("x"), 0..0);
    }
}
