//! The agent's configuration file. What is not in it has the default; what is
//! not known is an error that names the line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use hostnet_abi::Hook;
use serde::{Deserialize, Serialize};

#[cfg(feature = "http")]
use crate::sink::http;
#[cfg(feature = "kafka")]
use crate::sink::kafka;
#[cfg(feature = "nats")]
use crate::sink::nats;
use crate::{
    kernel::BeyondIp,
    sink::{syslog, unix},
};

/// Where the configuration is looked for when no file is named.
pub const DEFAULT_PATH: &str = "/etc/hostnet/config.toml";

/// Room for 300 000 connects in one burst. Kernel memory, not the agent's.
pub const DEFAULT_RING_MIB: u32 = 32;

/// What an endpoint of a runtime's API begins with.
const ENDPOINTS: [&str; 5] = ["unix://", "tcp://", "http://", "https://", "/"];

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is observed.
    pub observe: Observe,
    /// Where names come from.
    pub docker: Docker,
    /// Where events go; standard output when there is none.
    pub sink: Vec<Sink>,
}

/// `[observe]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Observe {
    /// Tell host processes, too.
    pub all: bool,
    /// Size of the kernel's ring buffer in MiB, a power of two.
    pub ring_mib: u32,
    /// Write down all inputs of the run to this new file, for replay.
    pub record: Option<PathBuf>,
    /// Let the eBPF programs log to the agent's own log.
    pub kernel_log: bool,
    /// How sockets beyond IP are seen.
    pub beyond_ip: BeyondIp,
    /// Hooks to leave out, by their program's name: for a kernel on which one is
    /// dear or wrong, and for tests that have to fail without it. The coverage
    /// statement says so.
    pub without: Vec<String>,
}

/// `[docker]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Docker {
    /// Endpoint of the runtime's API; `DOCKER_HOST` and the usual places when not given.
    pub host: Option<String>,
}

/// `[[sink]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "type", rename_all = "kebab-case")]
pub enum Sink {
    /// Standard output.
    Stdout {
        #[serde(default)]
        format: Format,
    },
    /// A file with mode 0600, opened anew on SIGHUP.
    File {
        path: PathBuf,
        #[serde(default)]
        format: Format,
    },
    /// A unix socket.
    Unix(unix::Settings),
    /// A syslog server.
    Syslog(syslog::Settings),
    /// An HTTP server.
    #[cfg(feature = "http")]
    Http(http::Settings),
    /// NATS JetStream.
    #[cfg(feature = "nats")]
    Nats(nats::Settings),
    /// Kafka.
    #[cfg(feature = "kafka")]
    Kafka(kafka::Settings),
}

impl Sink {
    /// Checks the values.
    ///
    /// # Errors
    /// When one cannot be right; it is named, with what would be.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::File { path, .. } if path.as_os_str().is_empty() => {
                bail!("sink.path is {path:?}: it must name a file")
            }
            Self::Stdout { .. } | Self::File { .. } => Ok(()),
            Self::Unix(settings) => settings.check(),
            Self::Syslog(settings) => settings.check(),
            #[cfg(feature = "http")]
            Self::Http(settings) => settings.check(),
            #[cfg(feature = "nats")]
            Self::Nats(settings) => settings.check(),
            #[cfg(feature = "kafka")]
            Self::Kafka(settings) => settings.check(),
        }
    }
}

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Elastic Common Schema 9.4, one JSON document per line.
    #[default]
    Ecs,
}

impl Default for Observe {
    fn default() -> Self {
        Self {
            all: false,
            ring_mib: DEFAULT_RING_MIB,
            record: None,
            kernel_log: false,
            beyond_ip: BeyondIp::default(),
            without: Vec::new(),
        }
    }
}

impl Config {
    /// Reads `path`, or the default file when there is one, or the defaults.
    ///
    /// # Errors
    /// When the file cannot be read or holds something that is not known.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let path = match path {
            Some(path) => path,
            None if !Path::new(DEFAULT_PATH).exists() => return Ok(Self::default()),
            None => Path::new(DEFAULT_PATH),
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the configuration {} is wrong", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text[..at].matches('\n').count() + 1;
            let text = text.lines().nth(line - 1).unwrap_or_default().trim();
            anyhow!("line {line}: {}: {text}", error.message())
        })?;
        let mib = config.observe.ring_mib;
        if !mib.is_power_of_two() || mib > 1024 {
            bail!("observe.ring_mib is {mib}: it must be a power of two from 1 to 1024");
        }
        for name in &config.observe.without {
            if hook_of(name).is_none() {
                let known: Vec<&str> = Hook::ALL.iter().map(|hook| hook.program()).collect();
                bail!("observe.without names {name:?}: it must be one of {}", known.join(", "));
            }
        }
        if let Some(host) = &config.docker.host
            && !ENDPOINTS.iter().any(|scheme| host.starts_with(scheme))
        {
            bail!("docker.host is {host:?}: it must begin with one of {}", ENDPOINTS.join(", "));
        }
        for sink in &config.sink {
            sink.check()?;
        }
        Ok(config)
    }
}

impl Observe {
    /// The hooks to leave out.
    #[must_use]
    pub fn hooks_left_out(&self) -> Vec<Hook> {
        self.without.iter().filter_map(|name| hook_of(name)).collect()
    }

    /// Size of the ring in bytes.
    #[must_use]
    pub const fn ring_bytes(&self) -> u32 {
        self.ring_mib << 20
    }
}

/// The hook whose program has this name.
fn hook_of(name: &str) -> Option<Hook> {
    Hook::ALL.iter().copied().find(|hook| hook.program() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn sinks_and_settings() {
        let config = Config::parse(
            "[observe]\nall = true\n[[sink]]\ntype = \"file\"\npath = \"/x\"\nformat = \"ecs\"\n",
        )
        .unwrap();
        assert!(config.observe.all);
        assert_eq!(config.sink, [Sink::File { path: "/x".into(), format: Format::Ecs }]);
    }

    #[test]
    fn hooks_are_left_out_by_name() {
        let config = Config::parse("[observe]\nwithout = [\"connect4\"]\n").unwrap();
        assert_eq!(config.observe.hooks_left_out(), [Hook::Connect4]);
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_secret_in_the_configuration_is_refused_and_not_shown() {
        let text = "[[sink]]\ntype = \"http\"\nurl = \"https://a.example\"\nframing = \"loki\"\n";
        let error = |line: &str| Config::parse(&format!("{text}{line}\n")).unwrap_err().to_string();
        for line in ["token = \"hunter2\"", "token = { hunter2 = \"x\" }", "tokn = \"hunter2\""] {
            assert!(!error(line).contains("hunter2"), "{}", error(line));
        }
    }

    #[test]
    fn what_is_not_known_is_named_with_its_line() {
        let error = Config::parse("[observe]\nal = true\n").unwrap_err().to_string();
        assert!(error.contains("unknown field `al`") && error.contains("line 2"), "{error}");
        let error = Config::parse("[docker]\nhost = \"ftp://x\"\n").unwrap_err().to_string();
        assert!(error.starts_with("docker.host is \"ftp://x\": it must begin with"), "{error}");
        let error = Config::parse("[observe]\nring_mib = 3\n").unwrap_err().to_string();
        assert_eq!(error, "observe.ring_mib is 3: it must be a power of two from 1 to 1024");
        let sink =
            |text| Config::parse(&format!("[[sink]]\ntype = {text}")).unwrap_err().to_string();
        let error = sink("\"syslog\"\naddress = \"log.example:601\"");
        assert!(error.starts_with("sink.address is \"log.example\" without TLS"), "{error}");
        let error = sink("\"unix\"\npath = \"/x\"\nmod = 1");
        assert!(error.contains("unknown field `mod`"), "{error}");
        let error = Config::parse("[observe]\nwithout = [\"connect5\"]\n").unwrap_err().to_string();
        assert!(error.starts_with("observe.without names \"connect5\": it must be"), "{error}");
    }
}
