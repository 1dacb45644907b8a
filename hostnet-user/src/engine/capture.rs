//! A run written down so that it can be replayed: the pipeline's inputs in the
//! order it took them, kernel records as the bytes they were.
//!
//! One frame per input: a tag byte, the length (u32, little endian), the bytes.

use std::{
    fs::{File, OpenOptions},
    io::{BufReader, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, Result, bail};

/// First bytes of every recording; the digit is the version.
const MAGIC: &[u8; 8] = b"hostnet1";

/// No input is longer; a larger length means a damaged file.
const LONGEST_FRAME: usize = 1 << 24;

/// Writes frames to a new file that only its owner may read.
pub struct Recorder(BufWriter<File>);

impl Recorder {
    /// Makes the file; it must not exist yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot make the recording {}", path.display()))?;
        let mut writer = BufWriter::new(file);
        writer.write_all(MAGIC)?;
        Ok(Self(writer))
    }

    /// Appends one frame.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn frame(&mut self, tag: u8, bytes: &[u8]) -> Result<()> {
        let length = u32::try_from(bytes.len()).context("an input is too long to record")?;
        self.0.write_all(&[tag])?;
        self.0.write_all(&length.to_le_bytes())?;
        self.0.write_all(bytes).context("cannot write to the recording")
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        self.0.flush().context("cannot write to the recording")
    }
}

/// Reads frames back.
pub struct Recording<R>(R);

impl Recording<BufReader<File>> {
    /// Opens a recording.
    ///
    /// # Errors
    /// When the file cannot be read or is not a recording.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        Self::read(BufReader::new(file))
            .with_context(|| format!("cannot replay {}", path.display()))
    }
}

/// Whether a file that begins so is a recording, of whatever version.
#[must_use]
pub fn is_recording(start: &[u8]) -> bool {
    start.starts_with(&MAGIC[..7])
}

impl<R: Read> Recording<R> {
    /// Reads a recording from `reader`.
    ///
    /// # Errors
    /// When it is not one of this version.
    pub fn read(mut reader: R) -> Result<Self> {
        let mut magic = [0; 8];
        let complete = reader.read_exact(&mut magic).is_ok();
        if !complete || &magic != MAGIC {
            bail!("not a recording of this version of hostnet");
        }
        Ok(Self(reader))
    }

    /// The next frame: tag and bytes; `None` at the end.
    ///
    /// # Errors
    /// When the recording ends inside a frame or cannot be read.
    pub fn frame(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        let mut tag = [0; 1];
        if self.0.read(&mut tag).context("cannot read the recording")? == 0 {
            return Ok(None);
        }
        let mut length = [0; 4];
        self.0.read_exact(&mut length).context("the recording ends inside a frame")?;
        let length = u32::from_le_bytes(length) as usize;
        if length > LONGEST_FRAME {
            bail!("the recording is damaged: a frame of {length} bytes");
        }
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).context("the recording ends inside a frame")?;
        Ok(Some((tag[0], bytes)))
    }
}
