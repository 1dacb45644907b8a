//! Where metrics are served: a unix socket that only the agent's user may open, or
//! an address.

use std::{
    fs, io,
    net::SocketAddr,
    os::{
        fd::OwnedFd,
        unix::fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use rustix::{
    fs::{Mode, fchmod},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with},
};
use serde::{Deserialize, Serialize};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;

/// Where to listen, as the configuration says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    /// `unix:/PATH`
    Unix(PathBuf),
    /// `ADDRESS:PORT`
    Tcp(SocketAddr),
}

/// A socket that listens.
pub enum Listener {
    Unix(std::os::unix::net::UnixListener),
    Tcp(std::net::TcpListener),
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err(format!("metrics.listen is {text:?}: a socket's path begins with a slash"))
            };
        }
        text.parse().map(Self::Tcp).map_err(|_no_address| {
            format!("metrics.listen is {text:?}: it must be unix:/PATH or ADDRESS:PORT")
        })
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

impl Listen {
    /// Listens.
    ///
    /// # Errors
    /// When the address is taken or may not be used, or the path is something else
    /// than a socket of this user's.
    pub(super) fn open(&self) -> Result<Listener> {
        let listener = match self {
            Self::Unix(path) => Listener::Unix(unix(path)?.into()),
            Self::Tcp(address) => Listener::Tcp(std::net::TcpListener::bind(address)?),
        };
        match &listener {
            Listener::Unix(listener) => listener.set_nonblocking(true)?,
            Listener::Tcp(listener) => listener.set_nonblocking(true)?,
        }
        Ok(listener)
    }
}

/// A socket that is never open to others, not even before its mode could be changed:
/// the kernel makes the file with the socket's own mode.
fn unix(path: &Path) -> Result<OwnedFd> {
    remove_old(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A socket that an earlier run left behind.
fn remove_old(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(there) if !there.file_type().is_socket() => {
            bail!("something else than a socket is there")
        }
        Ok(there) if there.uid() != rustix::process::geteuid().as_raw() => {
            bail!("a socket of another user is there")
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            bail!("another process listens there already")
        }
        Ok(_) => fs::remove_file(path).context("an old socket cannot be removed"),
    }
}
