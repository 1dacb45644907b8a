//! Where the agent itself would connect to without TLS on the loopback, which containers
//! with host networking share.

use super::{Args, Check};
use crate::{config::Config, event::loopback::Destination};

pub fn without_tls(args: &Args) -> Check {
    const NAME: &str = "destinations";
    // The agent complains of a wrong configuration.
    let mut config = Config::read(args.config.as_deref()).unwrap_or_default();
    if args.docker.is_some() {
        config.docker.host.clone_from(&args.docker);
    }
    let warnings: Vec<String> = config.destinations().iter().map(Destination::warning).collect();
    if warnings.is_empty() {
        return Check::ok(NAME, "none that hostnet connects to over the loopback without TLS");
    }
    let advice = "use a unix socket (a sink's type = \"unix\", unix:///run/docker.sock), or TLS";
    Check::warn(NAME, warnings.join("; "), advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Status;

    #[test]
    fn plaintext_to_the_loopback_is_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let check = |text: &str, docker: &str| {
            std::fs::write(&path, text).unwrap();
            let docker = Some(docker.to_owned());
            without_tls(&Args { json: false, docker, config: Some(path.clone()) })
        };
        let local = "unix:///run/docker.sock";
        let sink = "[[sink]]\ntype = \"syslog\"\naddress = \"127.0.0.1:514\"\nname = \"siem\"\n";
        let found = check(sink, local);
        assert_eq!(found.status, Status::Warn);
        assert!(found.finding.contains("what sink siem sends goes without TLS to 127.0.0.1:514"));
        assert!(check("", "tcp://localhost:2375").finding.contains("the container runtime"));
        assert_eq!(check("", local).status, Status::Ok);
        assert_eq!(check(&sink.replace("127.0.0.1", "log.example"), local).status, Status::Ok);
    }
}
