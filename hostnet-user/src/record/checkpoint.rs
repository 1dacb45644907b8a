//! Checkpoints: the chain's value after a row, signed, and sent to the sinks. Who
//! has one elsewhere can tell that a history was cut off or written anew.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    chain::{Hash, from_hex, hex},
    store::Store,
};
use crate::event::{Action, Checkpoint};

/// The action of the record that carries one.
pub const ACTION: &str = Action::ChainCheckpoint.name();

impl Checkpoint {
    /// Whether the signature is its key's.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let parts = from_hex(&self.key).zip(from_hex(&self.signature));
        let Some((key, signature)) = parts else { return false };
        VerifyingKey::from_bytes(&key).is_ok_and(|key| {
            let signature = Signature::from_bytes(&signature);
            key.verify_strict(&message(self.history, self.row, &self.hash), &signature).is_ok()
        })
    }

    /// The checkpoint in an ECS document; `None` when it is about something else.
    ///
    /// # Errors
    /// When the document says that it is one and is not.
    pub fn of_document(document: &[u8]) -> Result<Option<Self>> {
        let value: Value = serde_json::from_slice(document).context("it is not JSON")?;
        if value.pointer("/event/action").and_then(Value::as_str) != Some(ACTION) {
            return Ok(None);
        }
        let told = value.pointer("/hostnet/health").context("it has no hostnet.health")?;
        let checkpoint = Self::deserialize(told).context("hostnet.health is no checkpoint")?;
        Ok(Some(checkpoint))
    }
}

fn message(history: Uuid, row: u64, hash: &str) -> Vec<u8> {
    format!("hostnet checkpoint 1\n{history}\n{row}\n{hash}\n").into_bytes()
}

/// The key that checkpoints are signed with.
pub struct Key(SigningKey);

impl Key {
    /// Reads the key beside the history, or makes it (mode 0600), and its public
    /// half beside it, to be kept elsewhere.
    ///
    /// # Errors
    /// When it cannot be read or made, or is not a key.
    pub fn read_or_make(history: &Path) -> Result<Self> {
        let path = beside(history, "key");
        let key = match open(&path, OpenOptions::new().read(true)) {
            Ok(file) => read(file).with_context(|| format!("cannot use {}", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                make(&path).with_context(|| format!("cannot make {}", path.display()))?
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let public = beside(history, "pub");
        let mut options = OpenOptions::new();
        let mut file = open(&public, options.write(true).create(true).truncate(true))
            .with_context(|| format!("cannot write {}", public.display()))?;
        writeln!(file, "{}", hex(key.verifying_key().as_bytes()))?;
        Ok(Self(key))
    }

    /// Signs the chain's value after a row.
    #[must_use]
    pub fn sign(&self, history: Uuid, row: u64, hash: &Hash) -> Checkpoint {
        let hash = hash.to_string();
        let signature = self.0.sign(&message(history, row, &hash));
        Checkpoint {
            history,
            row,
            hash,
            key: hex(self.0.verifying_key().as_bytes()),
            signature: hex(&signature.to_bytes()),
        }
    }
}

/// The checkpoints of a run: when the next one is due.
pub struct Checkpoints {
    every: Duration,
    due: Instant,
    key: Option<Key>,
    /// Rows since the last checkpoint that are not checkpoints.
    unsigned: u64,
}

impl Checkpoints {
    /// The first not at once: the first events still wait for their containers' names.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, due: Instant::now() + every, key: None, unsigned: 0 }
    }

    /// A row with this action is kept.
    pub fn kept(&mut self, action: &str) {
        self.unsigned += u64::from(action != ACTION);
    }

    /// The last one was sent.
    pub const fn sent(&mut self) {
        self.unsigned = 0;
    }

    /// A checkpoint of the history, when it is time and there is something new.
    pub fn next(&mut self, store: &Store, path: &Path) -> Option<Checkpoint> {
        if self.unsigned == 0 || Instant::now() < self.due {
            return None;
        }
        self.due = Instant::now() + self.every;
        if self.key.is_none() {
            let made = Key::read_or_make(path);
            self.key = made
                .inspect_err(|error| tracing::error!("checkpoints cannot be signed: {error:#}"))
                .ok();
        }
        let head = store.head();
        Some(self.key.as_ref()?.sign(store.history(), head.id, &head.hash))
    }
}

fn beside(history: &Path, extension: &str) -> PathBuf {
    history.with_extension(extension)
}

fn open(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)
}

fn read(file: File) -> Result<SigningKey> {
    let mut text = String::new();
    file.take(1024).read_to_string(&mut text)?;
    let Some(seed) = from_hex(text.trim()) else {
        bail!("it is not a key of hostnet's; move it away, and the next start makes one");
    };
    Ok(SigningKey::from_bytes(&seed))
}

fn make(path: &Path) -> Result<SigningKey> {
    let mut seed = [0; 32];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed))?;
    // Under its name only when it is whole: half a key would be refused for ever.
    let unfinished = path.with_extension("key.new");
    let mut options = OpenOptions::new();
    let mut file = open(&unfinished, options.write(true).create(true).truncate(true))?;
    writeln!(file, "{}", hex(&seed))?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    Ok(SigningKey::from_bytes(&seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_its_signature_holds() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let history = directory.path().join("history.db");
        let hash = Hash::genesis(Uuid::nil());
        let first = Key::read_or_make(&history).unwrap().sign(Uuid::nil(), 7, &hash);
        let again = Key::read_or_make(&history).unwrap().sign(Uuid::nil(), 7, &hash);
        assert_eq!(first, again);
        assert!(first.is_signed());
        assert!(!Checkpoint { row: 8, ..first.clone() }.is_signed());
        assert!(!Checkpoint { hash: "00".repeat(32), ..first.clone() }.is_signed());
        assert!(!Checkpoint { key: "00".repeat(32), ..first }.is_signed());
        let mode = history.with_extension("key").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(history.with_extension("key"), "no key").unwrap();
        let error = format!("{:#}", Key::read_or_make(&history).err().unwrap());
        assert!(error.contains("move it away"), "{error}");
    }
}
