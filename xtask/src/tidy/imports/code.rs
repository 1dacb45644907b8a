//! Rust source as tokens, without comments.

/// A token and its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// A name, a number, a literal, `::`, or another character by itself.
    pub text: &'a str,
    pub line: usize,
}

/// The tokens of a file.
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut all = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while !rest.is_empty() {
        let (length, is_token) = piece(rest);
        let (text, after) = rest.split_at(length);
        if is_token {
            all.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    all
}

/// Whether a token is a name or a keyword.
pub fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty() && text.chars().all(in_name)
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How long the first piece is, and whether it is a token.
fn piece(rest: &str) -> (usize, bool) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false);
    }
    if rest.starts_with("/*") {
        return (comment(rest), false);
    }
    if rest.starts_with("::") {
        return (2, true);
    }
    if let Some(length) = raw_string(rest).or_else(|| string(rest)).or_else(|| character(rest)) {
        return (length, true);
    }
    match rest.find(|c: char| !in_name(c)) {
        None => (rest.len(), true),
        Some(0) => {
            let first = rest.chars().next().unwrap_or(' ');
            (first.len_utf8(), !first.is_whitespace())
        }
        Some(length) => (length, true),
    }
}

/// The length of a comment that may have others in it.
fn comment(rest: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let Some(next) = rest[at..].find(['*', '/']) else { return rest.len() };
        at += next;
        let (step, deeper) = match &rest[at..] {
            inside if inside.starts_with("/*") => (2, 1),
            inside if inside.starts_with("*/") => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += deeper;
    }
    at
}

fn raw_string(rest: &str) -> Option<usize> {
    let hashes_on = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let quote_on = hashes_on.trim_start_matches('#');
    let end = format!("\"{}", &hashes_on[..hashes_on.len() - quote_on.len()]);
    let body = quote_on.strip_prefix('"')?;
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(rest.len() - body.len() + length)
}

fn string(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('"')?;
    let mut is_escaped = false;
    let end = body.find(|c: char| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    Some(rest.len() - body.len() + end.map_or(body.len(), |end| end + 1))
}

/// The length of a character; `None` of a lifetime.
fn character(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('\'')?;
    let mut chars = body.char_indices();
    let first = chars.next()?.1;
    if first == '\\' {
        chars.next();
        return chars.find(|(_, c)| *c == '\'').map(|(end, _)| rest.len() - body.len() + end + 1);
    }
    chars.next().filter(|(_, c)| *c == '\'').map(|(end, _)| rest.len() - body.len() + end + 1)
}

/// Those that are not of `#[cfg(test)]` items.
pub fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        rest = if let Some(length) = test_attribute(rest) {
            let of_item = &rest[length..];
            &of_item[item(of_item)..]
        } else {
            kept.push(*first);
            after
        };
    }
    kept
}

/// The length of `#[cfg(test)]` and the like, where that comes next.
fn test_attribute(tokens: &[Token<'_>]) -> Option<usize> {
    let begin = tokens.iter().map(|token| token.text).take(4);
    if !begin.eq(["#", "[", "cfg", "("]) {
        return None;
    }
    let end = tokens.iter().position(|token| token.text == "]")?;
    let has = |name| tokens[..end].iter().any(|token| token.text == name);
    (has("test") && !has("not")).then_some(end + 1)
}

/// The length of an item: to its semicolon, or to the end of its braces.
fn item(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth < 0 {
                    return at;
                }
                if depth == 0 && token.text == "}" {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}
