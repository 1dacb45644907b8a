//! One URL that requests are posted to: the connection, who we say we are, and the
//! bounds of time and size. It knows nothing of what is in a request.

use std::{
    io::Write as _,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use reqwest::{
    Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    redirect::Policy,
};

use crate::sink::{Secret, Tls, runtime::Background, tls::check_plaintext};

/// The most bytes of an answer that are looked at: the status of each of ten
/// thousand events has room in it.
const LONGEST_ANSWER: usize = 8 << 20;

/// The most characters of an answer that a reason quotes.
const LONGEST_QUOTE: usize = 200;

/// The longest that a server may send us away for.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// What is needed to post.
pub struct Options<'a> {
    /// Where to.
    pub url: Url,
    /// Settings of TLS.
    pub tls: &'a Tls,
    /// The scheme of `Authorization`, and the secret after it.
    pub token: Option<(&'static str, &'a Secret)>,
    /// User and password (Basic).
    pub user: Option<(&'a str, &'a Secret)>,
    /// Whether requests are compressed.
    pub gzip: bool,
    /// How long a request may take, its answer included.
    pub timeout: Duration,
}

/// A URL to post to.
pub struct Client {
    runtime: Background,
    timeout: Duration,
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    gzip: bool,
    /// What no reason may show, whatever a server answers.
    secrets: Vec<String>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// When to come back, if it said so.
    pub retry_after: Option<Duration>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// What it says, for a reason.
    #[must_use]
    pub fn quote(&self) -> String {
        let status = self.status;
        let text = self.text();
        let said = short(text.trim());
        if said.is_empty() { format!("{status}") } else { format!("{status}: {said}") }
    }

    /// Its body as text.
    #[must_use]
    pub fn text(&self) -> String {
        crate::text::text(&self.body).readable
    }
}

/// As much of a text of a server as a reason quotes.
#[must_use]
pub fn short(text: &str) -> String {
    let text: String = text.chars().take(LONGEST_QUOTE).collect();
    text.escape_debug().to_string()
}

/// Reads a URL, which must not hold a secret.
///
/// # Errors
/// When it is none for HTTP, names a user, or leads over an open network without TLS.
pub fn read_url(text: &str, insecure: bool, secret: Option<&str>) -> Result<Url> {
    // Not quoted before it is known to be without a password.
    let url = Url::parse(text).context("sink.url is not a URL: it must be https://HOST/PATH")?;
    if !url.username().is_empty() || url.password().is_some() {
        bail!("sink.url names a user: give sink.user and sink.password instead");
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => {}
        ("http", Some(host)) => check_plaintext("sink.url", host, insecure, secret)?,
        // The rest may hold a secret.
        (scheme, _) => {
            bail!("sink.url begins with {scheme:?}: it must begin with https:// or http://")
        }
    }
    Ok(url)
}

impl Client {
    /// Reads the secrets and certificates.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn open(options: &Options<'_>) -> Result<Self> {
        let runtime = Background::while_delivering()?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(options.tls.client("sink.tls")?)
            .user_agent(concat!("hostnet/", env!("CARGO_PKG_VERSION")))
            // A secret goes where the configuration says and nowhere else.
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        let mut headers = HeaderMap::new();
        let secrets = authorize(&http, options, &mut headers)?;
        Ok(Self {
            runtime,
            timeout: options.timeout,
            http,
            url: options.url.clone(),
            headers,
            gzip: options.gzip,
            secrets,
        })
    }

    /// Posts, and returns what the server says.
    ///
    /// # Errors
    /// When it says nothing: the reason.
    pub fn post(&self, content_type: &'static str, body: &[u8]) -> Result<Reply, String> {
        let mut request = self
            .http
            .post(self.url.clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, content_type);
        request = if self.gzip {
            let packed = gzip(body).map_err(|error| error.to_string())?;
            request.header(CONTENT_ENCODING, "gzip").body(packed)
        } else {
            request.body(body.to_vec())
        };
        let answered = self.runtime.within(self.timeout, async {
            let response = request.send().await?;
            let (status, retry_after) = (response.status(), retry_after(&response));
            let body = read(response).await?;
            Ok(Reply { status, retry_after, body })
        });
        match answered {
            Some(Ok(reply)) => Ok(reply),
            // The URL may have a secret in its query.
            Some(Err::<_, reqwest::Error>(error)) => {
                Err(format!("{:#}", anyhow::Error::from(error.without_url())))
            }
            None => Err("no answer in time".to_owned()),
        }
    }

    /// A reason with the place before it, and without the secret.
    #[must_use]
    pub fn reason(&self, text: &str) -> String {
        let (host, port) = (self.url.host_str().unwrap_or_default(), self.url.port());
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let reason = format!("{}://{host}{port}{}: {text}", self.url.scheme(), self.url.path());
        self.secrets.iter().fold(reason, |reason, secret| reason.replace(secret.as_str(), "…"))
    }
}

/// Puts what says who we are into `headers`, and returns what of it must not be shown.
fn authorize(
    http: &reqwest::Client,
    options: &Options<'_>,
    headers: &mut HeaderMap,
) -> Result<Vec<String>> {
    let empty = http.post(options.url.clone());
    let (request, secret) = if let Some((scheme, token)) = options.token {
        let token = token.read("sink.token")?;
        (empty.header(AUTHORIZATION, format!("{scheme} {}", token.expose())), token)
    } else if let Some((user, password)) = options.user {
        let password = password.read("sink.password")?;
        (empty.basic_auth(user, Some(password.expose())), password)
    } else {
        return Ok(Vec::new());
    };
    let mut secrets = vec![secret.expose().to_owned()];
    if let Some(value) = request.build()?.headers().get(AUTHORIZATION) {
        secrets.extend(value.to_str()?.split_once(' ').map(|(_, coded)| coded.to_owned()));
        headers.insert(AUTHORIZATION, value.clone());
    }
    if let Some(value) = headers.get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    }
    Ok(secrets)
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    packed.write_all(body)?;
    packed.finish()
}

/// Reads as much of an answer as anybody needs.
async fn read(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            body.truncate(LONGEST_ANSWER);
            break;
        }
    }
    Ok(body)
}

/// `Retry-After`, in seconds or as a date (RFC 9110 §10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    parse_retry_after(text, SystemTime::now())
}

fn parse_retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            let at = Duration::from_secs(u64::try_from(at.as_second()).ok()?);
            (SystemTime::UNIX_EPOCH + at).duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_RETRY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_back() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |text| parse_retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(wait("99999999"), Some(3600));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn urls() {
        read_url("https://a.example/x", false, None).unwrap();
        read_url("http://127.0.0.1:1/", false, None).unwrap();
        let error = read_url("http://127.0.0.1:1/", false, Some("sink.token")).unwrap_err();
        assert!(error.to_string().contains("sink.token goes with it"), "{error}");
        let error = |url| read_url(url, false, None).unwrap_err().to_string();
        assert!(error("http://a.example/").contains("insecure = true"));
        assert!(error("ftp://a.example/").contains("must begin with"));
        assert!(!error("https://u:hunter2@a.example/").contains("hunter2"));
        read_url("http://a.example/", true, None).unwrap();
    }
}
