//! `/metrics`, `/healthz` and `/readyz` over HTTP: read only, and as little of it as
//! anybody may have. One request a connection, few connections, each for a short
//! time and with a short head; bodies are not read.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue, VARY},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
};

use super::{Listen, Metrics, Page, accept::wants_openmetrics, classic, listen::Listener};

/// Connections served at once; more are closed unread.
const MOST_CONNECTIONS: usize = 8;

/// The longest head of a request.
const LONGEST_HEAD: usize = 8 << 10;

/// The longest that a connection may take, its answer included.
const LONGEST_CONNECTION: Duration = Duration::from_secs(5);

/// How long to wait when a connection cannot be accepted, out of descriptors for one.
const BREATH: Duration = Duration::from_millis(100);

const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const CLASSIC: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A server that listens and does not serve yet.
pub struct Server {
    listener: Listener,
    site: Arc<Site>,
}

/// What is served.
struct Site {
    metrics: Arc<Metrics>,
    page: Page,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// When it cannot; where and why.
    pub fn open(listen: &Listen, metrics: Arc<Metrics>) -> Result<Self> {
        let listener =
            listen.open().with_context(|| format!("cannot serve metrics on {listen}"))?;
        let page = Page::new(Arc::clone(&metrics));
        Ok(Self { listener, site: Arc::new(Site { metrics, page }) })
    }

    /// The address, when it is one.
    #[cfg(test)]
    pub(super) fn address(&self) -> Option<std::net::SocketAddr> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(_) => None,
        }
    }

    /// Serves for ever. Needs the runtime's context.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub async fn serve(self) -> io::Result<()> {
        let listener = match self.listener {
            Listener::Unix(listener) => Accepting::Unix(UnixListener::from_std(listener)?),
            Listener::Tcp(listener) => Accepting::Tcp(TcpListener::from_std(listener)?),
        };
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            match listener.accept().await {
                Ok(stream) => begin(stream, &room, &self.site),
                Err(_) => tokio::time::sleep(BREATH).await,
            }
        }
    }
}

/// A listener that the runtime watches.
enum Accepting {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A connection, of whichever kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Accepting {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

fn begin(stream: Box<dyn Stream>, room: &Arc<Semaphore>, site: &Arc<Site>) {
    let Ok(permit) = Arc::clone(room).try_acquire_owned() else { return };
    let site = Arc::clone(site);
    tokio::spawn(async move {
        let answer = service_fn(move |request| {
            let answer = answer(&request, &site);
            async move { Ok::<_, Infallible>(answer) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(LONGEST_CONNECTION)
            .max_buf_size(LONGEST_HEAD)
            .keep_alive(false)
            // Whoever says that its request is all it has to say gets an answer, too.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), answer);
        // Whoever breaks off or breaks the protocol has had its answer.
        drop(tokio::time::timeout(LONGEST_CONNECTION, connection).await);
        drop(permit);
    });
}

fn answer(request: &Request<Incoming>, site: &Site) -> Response<Full<Bytes>> {
    // The answer to HEAD is that to GET; hyper leaves out its body.
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let state = |is_good| match is_good {
        true => text(StatusCode::OK, "ok\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, "not ok\n"),
    };
    match request.uri().path() {
        "/metrics" => {
            let page = site.page.text();
            let accepted = request.headers().get_all(ACCEPT).iter();
            let accepted = accepted.filter_map(|accepted| accepted.to_str().ok());
            let (page, kind) = if wants_openmetrics(accepted) {
                (page, OPENMETRICS)
            } else {
                (classic(&page), CLASSIC)
            };
            let mut response = Response::new(Full::from(page));
            response.headers_mut().insert(CONTENT_TYPE, kind);
            // The form depends on it, so a cache must not give one for the other.
            response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
            response
        }
        "/healthz" => state(site.metrics.is_alive()),
        "/readyz" => state(site.metrics.is_ready()),
        _ => text(StatusCode::NOT_FOUND, "/metrics, /healthz or /readyz\n"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}
