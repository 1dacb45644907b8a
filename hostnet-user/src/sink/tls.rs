//! TLS as every network sink has it: rustls, the server's name always checked,
//! and plaintext only on the loopback, without secrets, or where the user says so.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, bail};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::{Deserialize, Serialize};

use crate::event::loopback;

/// `[sink.tls]`: whom to trust, and what to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file of the authorities that are trusted instead of the machine's.
    pub ca: Option<PathBuf>,
    /// PEM file of the certificate that is shown when the server asks.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
}

impl Tls {
    /// Checks what can be checked without reading files.
    ///
    /// # Errors
    /// When a certificate has no key, or the other way round.
    pub fn check(&self, key: &str) -> Result<()> {
        if self.certificate.is_some() != self.key.is_some() {
            bail!("{key}.certificate and {key}.key must be given together");
        }
        Ok(())
    }

    /// What rustls needs to begin a connection. `key` is how the configuration
    /// calls these settings.
    ///
    /// # Errors
    /// When a file cannot be read or does not hold what it should.
    pub fn client(&self, key: &str) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.ca {
            for certificate in certificates(path, &format!("{key}.ca"))? {
                roots.add(certificate).with_context(|| {
                    format!("{key}.ca is {}: not a certificate of an authority", path.display())
                })?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let (Some(certificate), Some(private)) = (&self.certificate, &self.key) else {
            return Ok(builder.with_no_client_auth());
        };
        // What the parser says of a key may quote it.
        let pem = PrivateKeyDer::from_pem_file(private).map_err(|_| {
            anyhow!(
                "{key}.key is {}: it must be a readable PEM file with one key",
                private.display()
            )
        })?;
        builder
            .with_client_auth_cert(certificates(certificate, &format!("{key}.certificate"))?, pem)
            .with_context(|| {
                format!("{key}.certificate is {}: it does not fit {key}.key", certificate.display())
            })
    }
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|error| anyhow!("{key} is {}: {error}", path.display()))?;
    if all.is_empty() {
        bail!("{key} is {}: it holds no certificate", path.display());
    }
    Ok(all)
}

/// Refuses plaintext on a way where others may read and change it; `secret` is the setting
/// that goes along, if one does.
///
/// # Errors
/// When `host` is not loopback, or a secret goes there, and the user has not said
/// `insecure = true`.
pub fn check_plaintext(key: &str, host: &str, insecure: bool, secret: Option<&str>) -> Result<()> {
    let is_loopback = !loopback::addresses(host, 0).is_empty();
    match secret {
        _ if insecure => Ok(()),
        None if is_loopback => Ok(()),
        Some(secret) if is_loopback => bail!(
            "{key} is {host:?} without TLS, and {secret} goes with it: every container with host \
             networking could listen there and read it; use TLS, or say insecure = true"
        ),
        _ => bail!(
            "{key} is {host:?} without TLS: anybody on the way could read and change events; \
             use TLS, or say insecure = true"
        ),
    }
}

/// The first of these settings that is given.
#[allow(dead_code, reason = "not every build has a sink with secrets")]
pub fn first_given(settings: &[(&'static str, bool)]) -> Option<&'static str> {
    settings.iter().find(|(_, is_given)| *is_given).map(|(name, _)| *name)
}

/// A host and a port of `host:port`, where IPv6 addresses are in brackets.
///
/// # Errors
/// When there is no port, or no host.
pub fn host_and_port<'a>(key: &str, address: &'a str) -> Result<(&'a str, u16)> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| {
        let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
        let bare = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']')?,
            None if host.contains([':', '/', '@']) => return None,
            None => host,
        };
        (!bare.is_empty()).then_some((bare, port))
    });
    parts.with_context(|| format!("{key} is {address:?}: it must be HOST:PORT or [IPV6]:PORT"))
}

/// Hosts and ports that are connected to without TLS; addresses that are none are left out.
pub fn plaintext(tls: Option<&Tls>, addresses: &[String]) -> Vec<(String, u16)> {
    if tls.is_some() {
        return Vec::new();
    }
    let parts = addresses.iter().filter_map(|at| host_and_port("", at).ok());
    parts.map(|(host, port)| (host.to_owned(), port)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let read = |address| host_and_port("sink.address", address).ok();
        assert_eq!(read("a.b:514"), Some(("a.b", 514)));
        assert_eq!(read("[::1]:514"), Some(("::1", 514)));
        for wrong in ["a", "a:", "a:0", ":1", "::1:514", "[::1:5", "tcp://a:1", "u@a:1", "a:70000"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn plaintext_stays_on_the_machine() {
        for host in ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"] {
            check_plaintext("sink.address", host, false, None).unwrap();
            let error = check_plaintext("sink.address", host, false, Some("sink.token"));
            let error = error.unwrap_err().to_string();
            assert!(error.contains("sink.token goes with it"), "{error}");
            check_plaintext("sink.address", host, true, Some("sink.token")).unwrap();
        }
        for host in ["10.0.0.1", "log.example", "localhost.example", "::"] {
            let error = check_plaintext("sink.address", host, false, None).unwrap_err().to_string();
            assert!(error.contains("insecure = true"), "{error}");
            check_plaintext("sink.address", host, true, None).unwrap();
        }
    }
}
