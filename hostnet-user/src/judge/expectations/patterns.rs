//! How an entry names containers: by patterns of their name and image, and by a
//! label. What they are compared with was chosen by whoever started the container.

use std::fmt;

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

/// What Docker leaves out of the name of an image of its own registry, and Podman does not.
const DOCKER_HUB: [&str; 2] = ["docker.io/library/", "docker.io/"];

/// A pattern: `*` is any text, `?` is one character.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob(WildMatch);

impl Eq for Glob {}

impl Glob {
    /// Whether all of `text` is as the pattern says.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

impl TryFrom<String> for Glob {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is empty: give a name, or a pattern such as \"web-*\"".to_owned());
        }
        Ok(Self(WildMatch::new(&text)))
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.to_string()
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A pattern of an image: with a tag or digest it is of that alone, without one of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageGlob(Glob);

impl ImageGlob {
    /// Whether the image is one of them, whichever way its registry is written.
    #[must_use]
    pub fn has(&self, image: &str) -> bool {
        let pattern = self.0.to_string();
        let pattern = Glob(WildMatch::new(short(&pattern)));
        let image = short(image);
        pattern.has(image) || pattern.has(without_tag(image))
    }
}

impl fmt::Display for ImageGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name as Docker shows it.
fn short(image: &str) -> &str {
    DOCKER_HUB.iter().find_map(|prefix| image.strip_prefix(prefix)).unwrap_or(image)
}

/// A registry may have a port, so only a colon behind the last slash begins a tag.
fn without_tag(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _digest)| name);
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    image[name..].find(':').map_or(image, |colon| &image[..name + colon])
}

/// `KEY=VALUE`, where the value may be a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelMatch {
    key: String,
    value: Glob,
}

impl LabelMatch {
    /// The label's name.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether a label with this value is meant.
    #[must_use]
    pub fn has(&self, value: &str) -> bool {
        self.value.has(value)
    }
}

impl TryFrom<String> for LabelMatch {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                Ok(Self { key: key.to_owned(), value: Glob::try_from(value.to_owned())? })
            }
            _ => Err(format!("{text:?} is not a label: write it as \"key=value\"")),
        }
    }
}

impl From<LabelMatch> for String {
    fn from(label: LabelMatch) -> Self {
        label.to_string()
    }
}

impl fmt::Display for LabelMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}
