//! A server on a Unix socket that speaks Docker's API as a test says: for as many
//! containers as no machine has, and as badly as no daemon does. It remembers
//! what it was asked.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tempfile::TempDir;

/// Docker's word for itself, in a form of the API that hostnet speaks.
pub const VERSION: &str = r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12",
    "Components":[{"Name":"Engine","Version":"20.10.24"}]}"#;

/// The server; it ends with the test.
pub struct Api {
    directory: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Api {
    /// Answers each request by a call of `answer` with its path, without the
    /// version of the API before it, and the connection to answer on.
    pub fn start(
        answer: impl Fn(&str, UnixStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(directory.path().join("docker.sock")).expect("a socket");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let clerks =
            Clerks { listener, asked: Arc::clone(&asked), answer, free: AtomicUsize::new(1) };
        let clerks = Arc::new(clerks);
        thread::spawn(move || clerks.serve());
        Self { directory, asked }
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// The server's address, as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The first line of every request so far, without the protocol.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

/// Whoever serves requests: a thread for each that is being answered, and one more. A
/// thread made for each would cost more than its answer.
struct Clerks<A> {
    listener: UnixListener,
    asked: Arc<Mutex<Vec<String>>>,
    answer: A,
    /// How many wait for a connection.
    free: AtomicUsize,
}

impl<A: Fn(&str, UnixStream) -> io::Result<()> + Send + Sync + 'static> Clerks<A> {
    fn serve(self: Arc<Self>) {
        loop {
            let (stream, _) = self.listener.accept().expect("a connection");
            if self.free.fetch_sub(1, Ordering::Relaxed) == 1 {
                let another = Arc::clone(&self);
                self.free.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || another.serve());
            }
            if let Ok(request) = request_line(&stream) {
                self.asked.lock().expect("not poisoned").push(request.clone());
                let path = request.split(' ').nth(1).unwrap_or_default();
                // An agent that has seen enough hangs up.
                let _ = (self.answer)(without_version(path), stream);
            }
            self.free.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Method and path of a request, whose head is then read.
fn request_line(stream: &UnixStream) -> io::Result<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    Ok(first.trim_end_matches(" HTTP/1.1").to_owned())
}

fn without_version(path: &str) -> &str {
    let rest = path.strip_prefix("/v1.").map(|rest| rest.trim_start_matches(char::is_numeric));
    rest.unwrap_or(path)
}

/// A good answer.
pub fn json(mut stream: &UnixStream, text: &str) -> io::Result<()> {
    let length = text.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())
}

/// The beginning of a good answer of unknown length.
pub fn chunked(mut stream: &UnixStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
}

/// A piece of it.
pub fn chunk(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
    stream.write_all(bytes)?;
    stream.write_all(b"\r\n")
}

/// Says nothing more until the other side hangs up.
pub fn silence(mut stream: &UnixStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(|_| ())
}

/// No such container.
pub fn missing(mut stream: &UnixStream) -> io::Result<()> {
    let text = r#"{"message":"No such container"}"#;
    let length = text.len();
    let head = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())
}
