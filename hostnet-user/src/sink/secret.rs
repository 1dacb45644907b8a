//! Where a secret is kept. The configuration names the place and never holds the
//! secret, so that neither the file, nor an error about it, nor `Debug` shows it.

use std::{fmt, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Deserializer, Serialize, de};

/// The most bytes a secret has: a file that is longer is something else.
const MOST_BYTES: u64 = 64 << 10;

/// The place of a secret, as `{ file = "…" }`, `{ env = "…" }` or `{ credential = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// A file that holds it.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A credential of the service (systemd's `LoadCredential=`).
    Credential(String),
}

/// A secret that was read. It shows itself to nobody who does not ask.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Secret {
    /// Reads it, without the white space around it. `key` is how the
    /// configuration calls it.
    ///
    /// # Errors
    /// When it is not there, or is not one line of visible text.
    pub fn read(&self, key: &str) -> Result<Token> {
        let text = match self {
            Self::File(path) => read(path).with_context(|| format!("{key}.file"))?,
            Self::Credential(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY").with_context(|| {
                    format!("{key}.credential is {name:?}, but no credentials were given to the agent: the unit needs LoadCredential={name}:PATH")
                })?;
                read(&PathBuf::from(directory).join(name))
                    .with_context(|| format!("{key}.credential"))?
            }
            Self::Env(name) => std::env::var(name).ok().with_context(|| {
                format!("{key}.env is {name:?}: no such variable is set, or it is not text")
            })?,
        };
        let text = text.trim();
        if text.is_empty() || text.contains(|c: char| c.is_control() || !c.is_ascii()) {
            bail!("{key} ({}) is empty or not one line of ASCII", self.place());
        }
        Ok(Token(text.to_owned()))
    }

    /// Checks what can be checked without reading it.
    ///
    /// # Errors
    /// When it cannot be a place.
    pub fn check(&self, key: &str) -> Result<()> {
        let (empty, plain) = match self {
            Self::File(path) => (path.as_os_str().is_empty(), true),
            Self::Env(name) => (name.is_empty(), true),
            Self::Credential(name) => (name.is_empty(), !name.contains('/')),
        };
        if empty || !plain {
            bail!("{key} is {}: it must name a file, a variable or a credential", self.place());
        }
        Ok(())
    }

    fn place(&self) -> String {
        match self {
            Self::File(path) => format!("file {}", path.display()),
            Self::Env(name) => format!("environment variable {name}"),
            Self::Credential(name) => format!("credential {name}"),
        }
    }
}

fn read(path: &PathBuf) -> Result<String> {
    let length = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if length.len() > MOST_BYTES {
        bail!(
            "{} has {} bytes: no secret is longer than {MOST_BYTES}",
            path.display(),
            length.len()
        );
    }
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// By hand, because serde would quote a secret that was written where its place
/// belongs.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Place;

        impl<'de> de::Visitor<'de> for Place {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("where the secret is: { file = … }, { env = … } or { credential = … }")
            }

            fn visit_str<E: de::Error>(self, _secret: &str) -> Result<Secret, E> {
                Err(E::custom(
                    "a secret must not be in the configuration: say where it is, \
                     { file = … }, { env = … } or { credential = … }",
                ))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
                let wrong = || de::Error::custom("it must have one key: file, env or credential");
                let key: String = map.next_key()?.ok_or_else(wrong)?;
                let secret = match key.as_str() {
                    "file" => Secret::File(map.next_value()?),
                    "env" => Secret::Env(map.next_value()?),
                    "credential" => Secret::Credential(map.next_value()?),
                    _ => return Err(wrong()),
                };
                match map.next_key::<String>()? {
                    Some(_) => Err(wrong()),
                    None => Ok(secret),
                }
            }
        }

        deserializer.deserialize_any(Place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        token: Secret,
    }

    #[test]
    fn a_place_and_nothing_else() {
        let holder: Holder = toml::from_str("token = { file = \"/x\" }").unwrap();
        assert_eq!(holder.token, Secret::File("/x".into()));
        let error = toml::from_str::<Holder>("token = \"hunter2\"").unwrap_err();
        assert!(error.message().contains("must not be in the configuration"), "{error}");
        assert!(!error.message().contains("hunter2"), "{error}");
        assert!(toml::from_str::<Holder>("token = { hunter2 = \"x\" }").is_err());
        assert!(toml::from_str::<Holder>("token = { env = \"A\", file = \"/x\" }").is_err());
    }

    #[test]
    fn what_is_read_is_shown_to_nobody() {
        let file = std::env::temp_dir().join(format!("hostnet-secret-{}", std::process::id()));
        fs::write(&file, "hunter2\n").unwrap();
        let token = Secret::File(file.clone()).read("sink.token").unwrap();
        assert_eq!(token.expose(), "hunter2");
        assert_eq!(format!("{token:?}"), "Token(…)");
        fs::write(&file, "hunter2\nX-Other: 1").unwrap();
        let error = Secret::File(file.clone()).read("sink.token").unwrap_err().to_string();
        assert!(error.contains("not one line") && !error.contains("hunter2"), "{error}");
        fs::remove_file(file).unwrap();
    }
}
