//! How much a runtime may answer. It reads neither HTTP nor JSON: it counts each
//! byte as the memory that bollard makes of it, which is more for some than others.

use std::io::{Error, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// What is left of the memory that an answer may take.
#[derive(Clone, Copy)]
pub struct Allowance {
    most: u64,
    left: u64,
    /// Whether each line may take as much. HTTP's own lines are none: they end in
    /// CR LF, and what is sent in small pieces would have no end.
    by_line: bool,
    last: u8,
}

/// An answer that would take more than this many bytes of memory.
#[derive(Debug, thiserror::Error)]
#[error("more than {} KiB of memory for one answer", .0 / KIB)]
pub struct TooMuch(u64);

/// Where a stream leaves word that it was too much; 0 when it was not.
pub type Excess = AtomicU64;

impl Allowance {
    /// The list of ten thousand containers takes about 90 MiB as it is counted here.
    pub fn of(path: &str) -> Self {
        if path.ends_with("/events") {
            Self::new(512 * KIB, true)
        } else if path.ends_with("/containers/json") {
            Self::new(96 * MIB, false)
        } else {
            Self::new(4 * MIB, false)
        }
    }

    fn new(most: u64, by_line: bool) -> Self {
        Self { most, left: most, by_line, last: 0 }
    }

    /// Whether these bytes may be kept with those before them.
    fn take(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            if self.by_line && byte == b'\n' && self.last != b'\r' {
                self.left = self.most;
            }
            self.last = byte;
            match self.left.checked_sub(cost(byte)) {
                Some(left) => self.left = left,
                None => return false,
            }
        }
        true
    }
}

/// Bytes of memory for a byte of an answer: bollard keeps the whole of it, and a
/// copy, and an object with all that could be in it for whatever is in brackets.
const fn cost(byte: u8) -> u64 {
    match byte {
        b'{' => 512,
        // One more of something: a text, or a key with its value.
        b',' => 96,
        // Each chunk of HTTP has two, and is kept by itself.
        b'\n' => 32,
        _ => 2,
    }
}

/// A stream of which no more is read than an answer may have.
pub struct Bounded<S> {
    stream: S,
    allowance: Allowance,
    excess: Arc<Excess>,
}

impl<S> Bounded<S> {
    pub fn new(stream: S, allowance: Allowance, excess: Arc<Excess>) -> Self {
        Self { stream, allowance, excess }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if this.allowance.take(&buffer.filled()[before..]) {
            return Poll::Ready(Ok(()));
        }
        if this.allowance.by_line {
            this.excess.store(this.allowance.most, Relaxed);
        }
        Poll::Ready(Err(Error::other(TooMuch(this.allowance.most))))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Why the stream that left word of it was cut, once.
pub fn excess(excess: &Excess) -> Option<TooMuch> {
    let most = excess.swap(0, Relaxed);
    (most > 0).then_some(TooMuch(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_more_counts_more() {
        let most = |text: &str| {
            let mut allowance = Allowance::new(MIB, false);
            (0..MIB).take_while(|_| allowance.take(text.as_bytes())).count() as u64 + 1
        };
        assert_eq!(most("x"), MIB / 2 + 1);
        assert_eq!(most("{},"), MIB.div_ceil(512 + 2 + 96));
        assert_eq!(most("1\r\nx\r\n"), MIB.div_ceil(4 * 2 + 2 * 32));
    }

    #[test]
    fn events_without_end_are_fine_and_one_without_end_is_not() {
        let mut allowance = Allowance::of("/v1.41/events");
        let event = format!("{{\"{}\"}}\n", "x".repeat(100_000));
        assert!((0..100).all(|_| allowance.take(event.as_bytes())));
        let chunk = format!("40\r\n{}\r\n", "x".repeat(64));
        assert!(!(0..10_000).all(|_| allowance.take(chunk.as_bytes())));
    }

    #[test]
    fn the_list_of_ten_thousand_containers_is_not_too_much() {
        // What Docker 20.10 says of one on the default bridge, with a port and a mount.
        let one = r#"{"Id":"5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf",
            "Names":["/web"],"Image":"nginx:1.27","ImageID":"sha256:5aaf9eb7648eeb1459d86eaa0ace8bc
            fa93089642e5c3113a14250dae3238aaf","Command":"/docker-entrypoint.sh nginx -g 'daemon
            off;'","Created":1700000000,"Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,
            "Type":"tcp"}],"Labels":{"maintainer":"NGINX Docker Maintainers"},"State":"running",
            "Status":"Up 2 days","HostConfig":{"NetworkMode":"default"},"NetworkSettings":{
            "Networks":{"bridge":{"IPAMConfig":null,"Links":null,"Aliases":null,"NetworkID":"5aaf9eb
            7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf","EndpointID":"5aaf9eb7648eeb1
            459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf","Gateway":"172.17.0.1","IPAddress":
            "172.17.0.2","IPPrefixLen":16,"IPv6Gateway":"","GlobalIPv6Address":"",
            "GlobalIPv6PrefixLen":0,"MacAddress":"02:42:ac:11:00:02","DriverOpts":null}}},"Mounts":[
            {"Type":"bind","Source":"/srv","Destination":"/srv","Mode":"","RW":true,
            "Propagation":"rprivate"}]},"#;
        let mut allowance = Allowance::of("/v1.41/containers/json");
        assert!((0..10_000).all(|_| allowance.take(one.as_bytes())));
    }
}
