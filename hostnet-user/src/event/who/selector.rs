//! Which containers a word from the command line means: the one rule for all commands.

use std::collections::{BTreeMap, BTreeSet};

/// Digits of an id that a person is shown.
const SHORT_ID: usize = 12;

/// Most containers named in a refusal.
const MOST_NAMED: usize = 8;

/// Why no container is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSelected {
    /// There is none with that name or id.
    #[error("no container has the name {0:?} or an id that begins with it")]
    Unknown(String),
    /// Several have an id that begins so.
    #[error("{wanted:?} is the beginning of several ids: {}; give a name or more digits",
        containers.join(", "))]
    Ambiguous {
        /// The word.
        wanted: String,
        /// The containers, each with its name and the beginning of its id.
        containers: Vec<String>,
    },
}

/// The ids of the containers that `wanted` means, of all of them: each with its id and its
/// name, once for each name that it ever had. A name goes before a full id, and that before
/// the beginning of an id, which has to be of one container alone.
///
/// # Errors
/// When it means none, or is the beginning of several ids.
pub fn select<'a>(
    wanted: &str,
    all: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<BTreeSet<String>, NotSelected> {
    let (mut named, mut begun) = (BTreeSet::new(), BTreeMap::<&str, &str>::new());
    for (id, name) in all {
        if !name.is_empty() && name == wanted {
            named.insert(id.to_owned());
        }
        if !wanted.is_empty() && id.starts_with(wanted) {
            let label = begun.entry(id).or_default();
            if !name.is_empty() {
                *label = name;
            }
        }
    }
    if !named.is_empty() {
        return Ok(named);
    }
    if begun.len() > 1 && !begun.contains_key(wanted) {
        let mut labels: Vec<String> = begun.iter().map(|(id, name)| label(id, name)).collect();
        let more = labels.len().saturating_sub(MOST_NAMED);
        labels.truncate(MOST_NAMED);
        if more > 0 {
            labels.push(format!("and {more} more"));
        }
        return Err(NotSelected::Ambiguous { wanted: wanted.to_owned(), containers: labels });
    }
    let exact = begun.get_key_value(wanted).map(|(id, _)| *id);
    match exact.or_else(|| begun.into_keys().next()) {
        Some(id) => Ok(BTreeSet::from([id.to_owned()])),
        None => Err(NotSelected::Unknown(wanted.to_owned())),
    }
}

/// A container in a list: its name and the beginning of its id.
fn label(id: &str, name: &str) -> String {
    let short = id.get(..SHORT_ID).unwrap_or(id);
    if name.is_empty() { short.to_owned() } else { format!("{name} ({short})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 4] =
        [("abcdef012345678", "web"), ("fff000", "abc"), ("abc999", "db"), ("abc999", "old-db")];

    fn of(wanted: &str) -> Result<Vec<String>, NotSelected> {
        select(wanted, ALL).map(|ids| ids.into_iter().collect())
    }

    #[test]
    fn an_exact_name_goes_before_the_beginning_of_an_id() {
        assert_eq!(of("abc").unwrap(), ["fff000"]);
        assert_eq!(of("abcd").unwrap(), ["abcdef012345678"]);
        assert_eq!(of("old-db").unwrap(), ["abc999"]);
        assert_eq!(of("db").unwrap(), ["abc999"]);
    }

    #[test]
    fn what_several_ids_begin_with_is_refused_with_their_names() {
        let error = of("ab").unwrap_err().to_string();
        assert!(error.contains("web (abcdef012345)") && error.contains("db (abc999)"), "{error}");
        assert_eq!(of("nobody"), Err(NotSelected::Unknown("nobody".to_owned())));
        assert_eq!(of(""), Err(NotSelected::Unknown(String::new())));
    }
}
