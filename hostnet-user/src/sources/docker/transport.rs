//! Where the runtime listens, and how a request gets there. What comes back is
//! anybody's: it is bounded here in size, and in time by whoever asks.

use std::io::{Error, ErrorKind, Result};
use std::os::unix;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::BollardRequest;
use hyper::{Response, Uri, body::Incoming, header};
use hyper_util::rt::TokioIo;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;

use super::bounded::{Allowance, Bounded, Excess};

/// A connection of any kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where the runtime listens.
#[derive(Clone)]
pub enum Endpoint {
    Unix(PathBuf),
    Tcp(String),
    Tls(String, TlsConnector),
}

impl Endpoint {
    /// Reads an endpoint as `DOCKER_HOST` has it; `env` says whether TCP is to be
    /// TLS, and where the certificates are.
    pub fn read(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let env = |name| env(name).filter(|value| !value.is_empty());
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(path.into()));
        }
        let bare = |scheme| text.strip_prefix(scheme).map(|rest: &str| rest.trim_end_matches('/'));
        let (address, encrypted) = match (bare("https://"), bare("tcp://"), bare("http://")) {
            (Some(address), _, _) => (address, true),
            (_, Some(address), _) | (_, _, Some(address)) => {
                (address, env("DOCKER_TLS_VERIFY").is_some())
            }
            _ => return Err(invalid(format!("unsupported endpoint {text:?}"))),
        };
        if !encrypted {
            return Ok(Self::Tcp(address.to_owned()));
        }
        let home = || PathBuf::from(env("HOME").unwrap_or_default()).join(".docker");
        let certificates = env("DOCKER_CERT_PATH").map_or_else(home, PathBuf::from);
        Ok(Self::Tls(address.to_owned(), connector(&certificates)?))
    }

    async fn dial(&self) -> Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(path) => Box::new(connect_unix(path.clone()).await?),
            Self::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            Self::Tls(address, connector) => {
                let host = address.rsplit_once(':').map_or(&**address, |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(host)
                    .map_err(|error| invalid(format!("{address}: {error}")))?;
                Box::new(connector.connect(name, TcpStream::connect(address).await?).await?)
            }
        })
    }

    /// Sends a request on a connection of its own. Its answer may take no more than
    /// its kind is allowed; a stream of events that is cut for that says so in
    /// `excess`, because bollard keeps no reason.
    pub async fn send(
        self,
        mut request: BollardRequest,
        excess: Arc<Excess>,
    ) -> std::result::Result<Response<Incoming>, bollard::errors::Error> {
        let allowance = Allowance::of(request.uri().path());
        let stream = TokioIo::new(Bounded::new(self.dial().await?, allowance, excess));
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        // It ends with its one answer, which also shows what went wrong with it.
        tokio::spawn(connection);
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(path);
        }
        request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
        Ok(sender.send_request(request).await?)
    }
}

/// Sockets that are connected to at once; while that many hang, no other is.
static DIALS: Semaphore = Semaphore::const_new(8);

/// On a thread that may block: a path may lead through a file system that never answers.
async fn connect_unix(path: PathBuf) -> Result<UnixStream> {
    let turn = DIALS.acquire().await.map_err(Error::other)?;
    let connected = spawn_blocking(move || {
        let _until_connected = turn;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(&path)?)?;
        Ok(unix::net::UnixStream::from(socket))
    });
    let connected: Result<unix::net::UnixStream> = connected.await.map_err(Error::other)?;
    UnixStream::from_std(connected?)
}

/// Trusts the machine's authorities and `ca.pem`; shows `cert.pem` when it is there.
fn connector(directory: &Path) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(certificates(&directory.join("ca.pem"))?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::other)?
        .with_root_certificates(roots);
    let [certificate, key] = ["cert.pem", "key.pem"].map(|file| directory.join(file));
    let config = if certificate.exists() {
        let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| unreadable(&key, &error))?;
        config
            .with_client_auth_cert(certificates(&certificate)?, key)
            .map_err(|error| invalid(format!("{}: {error}", certificate.display())))?
    } else {
        config.with_no_client_auth()
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    all.map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &rustls::pki_types::pem::Error) -> Error {
    invalid(format!("cannot read the certificates of TLS, {}: {error}", path.display()))
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(set: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn tcp_is_encrypted_when_the_environment_asks_for_it() {
        let read = Endpoint::read;
        assert!(matches!(read("tcp://a:1/", env(&[])), Ok(Endpoint::Tcp(at)) if at == "a:1"));
        let tls: &[_] = &[("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/nonexistent")];
        let refused = read("tcp://a:1", env(tls)).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|text| text.contains("/nonexistent/ca.pem")));
        assert!(read("ftp://a", env(&[])).is_err());
    }
}
