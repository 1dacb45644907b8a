//! The techniques of MITRE ATT&CK for Enterprise that detections name.

/// A technique.
#[derive(Debug)]
pub struct Technique {
    /// Such as `T1046`.
    pub id: &'static str,
    /// What ATT&CK calls it.
    pub name: &'static str,
    /// What it is for, as Sigma tags it.
    pub tactics: &'static [&'static str],
}

const fn technique(
    id: &'static str,
    name: &'static str,
    tactics: &'static [&'static str],
) -> Technique {
    Technique { id, name, tactics }
}

pub const NETWORK_SNIFFING: Technique =
    technique("T1040", "Network Sniffing", &["credential-access", "discovery"]);
pub const NETWORK_SERVICE_DISCOVERY: Technique =
    technique("T1046", "Network Service Discovery", &["discovery"]);
pub const REMOTE_SERVICES: Technique = technique("T1021", "Remote Services", &["lateral-movement"]);
pub const MASQUERADING: Technique = technique("T1036", "Masquerading", &["defense-evasion"]);
pub const APPLICATION_LAYER_PROTOCOL: Technique =
    technique("T1071", "Application Layer Protocol", &["command-and-control"]);
pub const NON_APPLICATION_LAYER_PROTOCOL: Technique =
    technique("T1095", "Non-Application Layer Protocol", &["command-and-control"]);
pub const EXTERNAL_REMOTE_SERVICES: Technique =
    technique("T1133", "External Remote Services", &["persistence"]);
pub const METADATA_API: Technique = technique(
    "T1552.005",
    "Unsecured Credentials: Cloud Instance Metadata API",
    &["credential-access"],
);
pub const CONTAINER_API: Technique =
    technique("T1552.007", "Unsecured Credentials: Container API", &["credential-access"]);
pub const ADVERSARY_IN_THE_MIDDLE: Technique =
    technique("T1557", "Adversary-in-the-Middle", &["credential-access"]);
pub const DISABLE_FIREWALL: Technique = technique(
    "T1562.004",
    "Impair Defenses: Disable or Modify System Firewall",
    &["defense-evasion"],
);
pub const INDICATOR_BLOCKING: Technique =
    technique("T1562.006", "Impair Defenses: Indicator Blocking", &["defense-evasion"]);
pub const CONTAINER_ADMINISTRATION: Technique =
    technique("T1609", "Container Administration Command", &["execution"]);
pub const DEPLOY_CONTAINER: Technique = technique("T1610", "Deploy Container", &["execution"]);
pub const ESCAPE_TO_HOST: Technique =
    technique("T1611", "Escape to Host", &["privilege-escalation"]);
