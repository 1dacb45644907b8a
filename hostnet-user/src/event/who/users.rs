//! Names of users as an `/etc/passwd` has them: plain data. Whoever may write that
//! file may write anything into it, so a name is a claim and the id is the truth.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text;

/// Most users kept of one file; an image's has some thirty.
const MOST: usize = 256;

/// Most lines looked at.
const MOST_LINES: usize = 4096;

/// The longest name kept, in bytes (`LOGIN_NAME_MAX` allows 256, `useradd` 32).
const LONGEST: usize = 64;

/// Names by user id, as lines of `ID:NAME`: there may be ten thousand of these, most the
/// same as others, and few are asked for anything. Copies share the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct UserNames(Arc<str>);

/// Whose file a name is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameSource {
    /// The host's.
    Host,
    /// The container's own, which says what the container likes.
    Container,
}

impl UserNames {
    /// The users of a file; `id` says which user of the host's an id in it is. Of
    /// several names for one user the first counts, as for `getpwuid(3)`. What is
    /// no user's line, or has a name that is not plain text, is passed over.
    #[must_use]
    pub fn parse(file: &[u8], id: impl Fn(u32) -> Option<u32>) -> Self {
        let mut users: Vec<(u32, &str)> = Vec::new();
        for line in file.split(|byte| *byte == b'\n').take(MOST_LINES) {
            let Some((name, own)) = user(line) else { continue };
            if let Some(id) = id(own)
                && !users.iter().any(|(known, _)| *known == id)
            {
                users.push((id, name));
            }
            if users.len() == MOST {
                break;
            }
        }
        let lines = users.iter().map(|(id, name)| format!("{id}:{name}\n"));
        lines.collect::<String>().into()
    }

    /// One user alone; `None` when the name is not plain text.
    #[must_use]
    pub fn of(id: u32, name: &str) -> Option<Self> {
        is_name(name).then(|| format!("{id}:{name}\n").into())
    }

    /// What the file calls a user.
    #[must_use]
    pub fn name(&self, id: u32) -> Option<&str> {
        let users = self.0.lines().filter_map(|line| line.split_once(':'));
        let mut names = users.filter(|(own, _)| own.parse() == Ok(id)).map(|(_, name)| name);
        names.next()
    }

    /// Whether nobody is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether another copy is somewhere.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl From<String> for UserNames {
    fn from(lines: String) -> Self {
        Self(lines.into())
    }
}

impl From<UserNames> for String {
    fn from(users: UserNames) -> Self {
        users.0.as_ref().into()
    }
}

/// `NAME:PASSWORD:ID:…`
fn user(line: &[u8]) -> Option<(&str, u32)> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = str::from_utf8(fields.next()?).ok()?;
    let id = str::from_utf8(fields.nth(1)?).ok()?;
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    Some((name, id.parse().ok()?)).filter(|_| is_name(name) && is_id)
}

fn is_name(name: &str) -> bool {
    let is_plain = |c: char| !c.is_whitespace() && !text::is_unsafe(c);
    (1..=LONGEST).contains(&name.len()) && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(file: &[u8]) -> UserNames {
        UserNames::parse(file, Some)
    }

    #[test]
    fn the_first_name_of_a_user_counts() {
        let names = names(b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nredis:x:999:999::/:\n");
        assert_eq!(names.name(0), Some("root"));
        assert_eq!(names.name(999), Some("redis"));
        assert_eq!((names.name(99), names.name(9990)), (None, None));
    }

    #[test]
    fn what_is_hostile_names_nobody() {
        let long = [b"a".repeat(1 << 20).as_slice(), b":x:7:7::/:"].concat();
        let lines: [&[u8]; 12] = [
            b"",
            b"a",
            b"a:x",
            b":x:1:1::/:",
            b"a\0b:x:2:2::/:",
            b"\x1b[2J:x:3:3::/:",
            "a\u{202e}b:x:4:4::/:".as_bytes(),
            b"\xff:x:5:5::/:",
            b"a b:x:6:6::/:",
            &long,
            b"a:x:+8:8::/:",
            b"a:x:4294967296:9::/:",
        ];
        assert!(names(&lines.join(&b'\n')).is_empty());
        // Whoever calls another user root is believed no more than any other.
        assert_eq!(names(b"root:x:1000:1000::/:").name(1000), Some("root"));
    }

    #[test]
    fn many_users_are_cut() {
        let file: String = (0..10_000).map(|id| format!("u{id}:x:{id}:0::/:\n")).collect();
        let names = names(file.as_bytes());
        assert_eq!(names.0.lines().count(), MOST);
        let empty_lines = "\n".repeat(MOST_LINES) + "late:x:1:1::/:";
        assert!(UserNames::parse(empty_lines.as_bytes(), Some).is_empty());
    }

    #[test]
    fn ids_are_the_hosts() {
        let shifted = |id: u32| (id < 10).then_some(100_000 + id);
        let names = UserNames::parse(b"root:x:0:0::/:\nfar:x:10:0::/:\n", shifted);
        assert_eq!(names.name(100_000), Some("root"));
        assert_eq!(names, "100000:root\n".to_owned().into());
    }
}
