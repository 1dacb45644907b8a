//! What is wrong with a configuration file, in the words of the file.

/// The message of an error of the TOML reader, with its line and section.
pub fn explain(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let number = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let lines: Vec<&str> = text.lines().take(number).map(str::trim).collect();
    let line = lines.last().copied().unwrap_or_default();
    let place = Place {
        section: lines.iter().rev().find(|line| line.starts_with('[')).copied(),
        key: line.split_once('=').map(|(key, _)| key.trim()),
    };
    // The reader adds lines of its own: in which key it was.
    let mut parts = error.message().lines().map(str::trim).filter(|part| !part.is_empty());
    let message = parts.next().unwrap_or_default();
    let within = parts.find_map(|part| part.strip_prefix("in `")?.strip_suffix('`'));
    let place = Place { key: within.or(place.key), ..place };
    match place.known(message) {
        Some(said) => format!("line {number}: {said}"),
        // A section's own check names the entry; a fault of syntax needs its line.
        None if line.starts_with('[') => format!("line {number}: {message}"),
        None => format!("line {number}: {message}: {line}"),
    }
}

/// Where in the file it is.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The section's own line, such as `[[sink]]`.
    section: Option<&'a str>,
    key: Option<&'a str>,
}

impl Place<'_> {
    /// What serde says, said of a file's settings; `None` for what it does not say.
    fn known(self, message: &str) -> Option<String> {
        let section = self.section.unwrap_or("the configuration");
        let key = self.key.unwrap_or("?");
        if let Some(rest) = message.strip_prefix("unknown variant `") {
            let (given, expected) = rest.split_once("`, ")?;
            return Some(format!("{section} {key} {given:?} is not one of {}", names(expected)));
        }
        if let Some(rest) = message.strip_prefix("unknown field `") {
            let (given, expected) = rest.split_once("`, ")?;
            let names = names(expected);
            let is_section = section.trim_matches(['[', ']']).split('.').next() == Some(given);
            return Some(if is_section {
                format!("there is no section {section}; there can be {names}")
            } else {
                format!("{section} has no {given:?}; it can have {names}")
            });
        }
        if let Some(field) = message.strip_prefix("missing field `") {
            return Some(format!("{section} needs {}", field.trim_end_matches('`')));
        }
        // What was given is not shown: it may be a secret.
        let (given, expected) =
            message.strip_prefix("invalid type: ")?.split_once(", expected ")?;
        let given = given.split(' ').next().unwrap_or_default();
        Some(format!("{section} {key} must be {}, not {}", kind(expected), kind(given)))
    }
}

/// ``expected one of `a`, `b` `` without the rest: `a, b`.
fn names(expected: &str) -> String {
    expected.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(", ")
}

/// A type of Rust's or TOML's as it is written in the file.
fn kind(name: &str) -> &str {
    match name {
        "u8" | "u16" | "u32" | "u64" | "usize" | "integer" => "a whole number",
        "bool" | "boolean" | "a boolean" => "true or false",
        "string" | "a string" | "path string" => "a text in quotes",
        "sequence" | "a sequence" => "a list in [ ]",
        "map" | "a map" => "a section",
        "floating" => "a number with a fraction",
        other if other.starts_with("struct ") => "a section",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn faults_are_said_in_the_files_own_words() {
        for (text, expected) in [
            (
                "[[sink]]\ntype = \"fil\"\n",
                "line 1: [[sink]] type \"fil\" is not one of stdout, file, ",
            ),
            (
                "[observe]\nbeyond_ip = \"on\"\n",
                "line 2: [observe] beyond_ip \"on\" is not one of auto, ",
            ),
            (
                "[observe]\nal = true\n",
                "line 2: [observe] has no \"al\"; it can have all, ring_mib, ",
            ),
            (
                "[observ]\nall = true\n",
                "line 1: there is no section [observ]; there can be observe, ",
            ),
            ("[[sink]]\ntype = \"file\"\n", "line 1: [[sink]] needs path"),
            (
                "[observe]\nall = \"yes\"\n",
                "line 2: [observe] all must be true or false, not a text",
            ),
            (
                "[history]\nmax_mib = [1]\n",
                "line 2: [history] max_mib must be a whole number, not a list",
            ),
            (
                "[[sink]]\ntype = \"stdout\"\ncap_mib = \"1\"\n",
                "line 1: [[sink]] cap_mib must be a whole",
            ),
            ("[observe\nall = true\n", "line 1: "),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
