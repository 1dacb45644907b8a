//! What one file imports and names by path, and what it defines.

use std::collections::BTreeSet;

use super::code::{Token, is_name, tokens, without_tests};

/// What is asked of a file.
#[derive(Debug, Default)]
pub struct Source {
    pub paths: Vec<Path>,
    /// Names of its own items.
    pub defined: BTreeSet<String>,
    /// Modules that are other files.
    pub modules: Vec<String>,
    /// The same of those that tests alone have.
    pub of_tests: Vec<String>,
    /// Macros of it that declare modules.
    pub declaring: Vec<String>,
    /// Macros that it calls.
    pub called: BTreeSet<String>,
}

/// A path of an import, or in code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub segments: Vec<String>,
    /// What an import calls it, [`ALL`] of a whole module; nothing of a path in code.
    pub name: Option<String>,
    pub line: usize,
    /// In how many modules it is that are written in the file.
    pub inside: usize,
}

/// The name of an import of all that a module has.
pub const ALL: &str = "*";

/// Words before the name of an item.
const ITEMS: [&str; 9] =
    ["const", "enum", "fn", "mod", "static", "struct", "trait", "type", "union"];

impl Source {
    pub fn of(text: &str) -> Self {
        let all = tokens(text);
        let tokens = without_tests(&all);
        let text_at = |at: usize| tokens.get(at).map_or("", |token| token.text);
        let mut source = Self { modules: declared(&tokens), ..Self::default() };
        source.of_tests = declared(&all);
        source.of_tests.retain(|name| !source.modules.contains(name));
        // How deep in braces the modules begin that are written in the file.
        let (mut at, mut depth, mut modules) = (0, 0_usize, Vec::new());
        let mut last_macro = "";
        while let Some(&Token { text, line }) = tokens.get(at) {
            let before = at.checked_sub(1).map_or("", text_at);
            let (next, after) = (text_at(at + 1), text_at(at + 2));
            if text == "use" && ["", ";", "{", "}", "]", ")", "pub"].contains(&before) {
                at = import(&tokens, at + 1, &[], modules.len(), &mut source.paths);
                continue;
            }
            match text {
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    modules.pop_if(|begin| *begin == depth);
                }
                "macro_rules" => {
                    source.defined.insert(after.to_owned());
                    last_macro = after;
                }
                "mod" if next == "$" => source.declaring.push(last_macro.to_owned()),
                _ if next == "!" && is_name(text) => drop(source.called.insert(text.to_owned())),
                _ if ITEMS.contains(&text) && is_name(next) && depth == 0 => {
                    source.defined.insert(next.to_owned());
                }
                _ => {}
            }
            if text == "mod" && after == "{" {
                modules.push(depth);
            }
            if is_name(text) && next == "::" && before != "::" {
                let mut segments = vec![text.to_owned()];
                while text_at(at + 1) == "::" && is_name(text_at(at + 2)) {
                    segments.push(text_at(at + 2).to_owned());
                    at += 2;
                }
                source.paths.push(Path { segments, name: None, line, inside: modules.len() });
            }
            at += 1;
        }
        // A module that is another file defines nothing here.
        source.defined.retain(|name| !source.modules.contains(name));
        source
    }

    /// What an import of the file calls so.
    pub fn imported(&self, name: &str) -> impl Iterator<Item = &Path> {
        self.paths.iter().filter(move |path| path.name.as_deref() == Some(name))
    }
}

/// The modules that are declared and not written here.
fn declared(tokens: &[Token<'_>]) -> Vec<String> {
    let three = tokens.windows(3).filter(|it| it[0].text == "mod" && it[2].text == ";");
    three.map(|it| it[1].text.to_owned()).collect()
}

/// Reads a tree of imports that begins at a token; where it ends.
fn import(
    tokens: &[Token<'_>],
    mut at: usize,
    prefix: &[String],
    inside: usize,
    paths: &mut Vec<Path>,
) -> usize {
    let mut segments = prefix.to_vec();
    while let Some(&Token { text, line }) = tokens.get(at) {
        let is_followed_by = |at: usize, text| tokens.get(at).is_some_and(|it| it.text == text);
        at += 1;
        match text {
            "::" => {}
            "{" => {
                while at < tokens.len() && !is_followed_by(at, "}") {
                    at = import(tokens, at, &segments, inside, paths);
                    at += usize::from(is_followed_by(at, ","));
                }
                return at + 1;
            }
            _ if is_followed_by(at, "::") => segments.push(text.to_owned()),
            _ => {
                // `a::{self}` is `a`.
                if text != ALL && (text != "self" || segments.is_empty()) {
                    segments.push(text.to_owned());
                }
                let mut name = segments.last().filter(|_| text != ALL).map_or(ALL, String::as_str);
                if is_followed_by(at, "as") {
                    name = tokens.get(at + 1).map_or("_", |it| it.text);
                    at += 2;
                }
                let name = Some(name.to_owned());
                paths.push(Path { segments, name, line, inside });
                return at;
            }
        }
    }
    at
}
