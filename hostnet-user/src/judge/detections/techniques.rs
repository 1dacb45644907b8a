//! The techniques of MITRE ATT&CK for Enterprise that detections name.

pub type Technique = (&'static str, &'static str);

pub const NETWORK_SNIFFING: Technique = ("T1040", "Network Sniffing");
pub const NETWORK_SERVICE_DISCOVERY: Technique = ("T1046", "Network Service Discovery");
pub const REMOTE_SERVICES: Technique = ("T1021", "Remote Services");
pub const MASQUERADING: Technique = ("T1036", "Masquerading");
pub const APPLICATION_LAYER_PROTOCOL: Technique = ("T1071", "Application Layer Protocol");
pub const NON_APPLICATION_LAYER_PROTOCOL: Technique = ("T1095", "Non-Application Layer Protocol");
pub const EXTERNAL_REMOTE_SERVICES: Technique = ("T1133", "External Remote Services");
pub const METADATA_API: Technique =
    ("T1552.005", "Unsecured Credentials: Cloud Instance Metadata API");
pub const CONTAINER_API: Technique = ("T1552.007", "Unsecured Credentials: Container API");
pub const ADVERSARY_IN_THE_MIDDLE: Technique = ("T1557", "Adversary-in-the-Middle");
pub const DISABLE_FIREWALL: Technique =
    ("T1562.004", "Impair Defenses: Disable or Modify System Firewall");
pub const INDICATOR_BLOCKING: Technique = ("T1562.006", "Impair Defenses: Indicator Blocking");
pub const CONTAINER_ADMINISTRATION: Technique = ("T1609", "Container Administration Command");
pub const DEPLOY_CONTAINER: Technique = ("T1610", "Deploy Container");
pub const ESCAPE_TO_HOST: Technique = ("T1611", "Escape to Host");
