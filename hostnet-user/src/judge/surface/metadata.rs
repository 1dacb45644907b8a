//! The addresses at which clouds tell their machines who they are, and give them
//! credentials. Any of them is the same wherever the host is, so that an attempt
//! is one on hardware of one's own, too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Whose metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetadataService {
    /// 169.254.169.254: AWS, Azure, Google, Oracle, OpenStack and most others. Which
    /// of them cannot be told from the address.
    Imds,
    /// An EC2 instance's, over IPv6.
    Aws,
    /// An ECS task's credentials.
    AwsEcs,
    /// The agent of EKS Pod Identity on this node.
    AwsEks,
    /// Google's, over IPv6.
    Gcp,
    /// Azure's WireServer, which also answers DNS and DHCP.
    Azure,
    /// Alibaba's.
    Alibaba,
    /// Oracle's, over IPv6.
    Oracle,
    /// OpenStack's, over IPv6.
    Openstack,
    /// Scaleway's.
    Scaleway,
    /// Tencent's.
    Tencent,
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(bits: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(bits))
}

/// Each from the provider's own documentation, or from cloud-init's.
const ADDRESSES: &[(IpAddr, MetadataService)] = &[
    (v4(169, 254, 169, 254), MetadataService::Imds),
    (v6(0xfd00_0ec2_0000_0000_0000_0000_0000_0254), MetadataService::Aws),
    (v4(169, 254, 170, 2), MetadataService::AwsEcs),
    (v4(169, 254, 170, 23), MetadataService::AwsEks),
    (v6(0xfd00_0ec2_0000_0000_0000_0000_0000_0023), MetadataService::AwsEks),
    (v6(0xfd20_00ce_0000_0000_0000_0000_0000_0254), MetadataService::Gcp),
    (v4(168, 63, 129, 16), MetadataService::Azure),
    (v4(100, 100, 100, 200), MetadataService::Alibaba),
    (v6(0xfd00_00c1_0000_0000_0000_0000_a9fe_a9fe), MetadataService::Oracle),
    (v6(0xfe80_0000_0000_0000_0000_0000_a9fe_a9fe), MetadataService::Openstack),
    (v4(169, 254, 42, 42), MetadataService::Scaleway),
    (v6(0xfd00_0042_0000_0000_0000_0000_0000_0042), MetadataService::Scaleway),
    (v4(169, 254, 0, 23), MetadataService::Tencent),
];

impl MetadataService {
    /// The one at this address.
    #[must_use]
    pub fn at(remote: IpAddr) -> Option<Self> {
        let remote = remote.to_canonical();
        ADDRESSES.iter().find(|(address, _)| *address == remote).map(|(_, service)| *service)
    }

    /// Every address, with whose it is.
    pub fn all() -> impl Iterator<Item = (IpAddr, Self)> {
        ADDRESSES.iter().copied()
    }

    /// Whether metadata may be what is asked for at this port: names, time and
    /// addresses are asked for at the same addresses, and every machine of the
    /// cloud does.
    #[must_use]
    pub const fn is_asked_at(port: u16) -> bool {
        const DNS: u16 = 53;
        const DHCP: u16 = 67;
        const NTP: u16 = 123;
        !matches!(port, DNS | DHCP | NTP)
    }

    /// Its name in events and rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Imds => "imds",
            Self::Aws => "aws",
            Self::AwsEcs => "aws-ecs",
            Self::AwsEks => "aws-eks",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Alibaba => "alibaba",
            Self::Oracle => "oracle",
            Self::Openstack => "openstack",
            Self::Scaleway => "scaleway",
            Self::Tencent => "tencent",
        }
    }

    /// What a person calls it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Imds => "the cloud's instance metadata (AWS, Azure, Google, OpenStack, …)",
            Self::Aws => "AWS instance metadata",
            Self::AwsEcs => "AWS ECS task credentials",
            Self::AwsEks => "the AWS EKS Pod Identity agent",
            Self::Gcp => "Google Cloud instance metadata",
            Self::Azure => "the Azure WireServer",
            Self::Alibaba => "Alibaba Cloud instance metadata",
            Self::Oracle => "Oracle Cloud instance metadata",
            Self::Openstack => "OpenStack instance metadata",
            Self::Scaleway => "Scaleway instance metadata",
            Self::Tencent => "Tencent Cloud instance metadata",
        }
    }
}
