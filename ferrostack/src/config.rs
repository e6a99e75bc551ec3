// SPDX-License-Identifier: Apache-2.0
//! `ferrostack.toml`. Every setting has a default that is right for a small office; the file that `up` writes
//! holds only what was chosen for this host.

mod dashboard;
mod database;
mod events;
mod image;
mod limits;
mod objects;
mod s3;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use identity::{LimitModel, SecurityCompliance, Totp};
use serde::{Deserialize, Serialize};

pub use events::Events;

use crate::{federation::Federation, home::Home};

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub api: Api,
    pub identity: Identity,
    pub database: database::Database,
    pub events: Events,
    pub federation: Federation,
    pub fleet: Fleet,
    pub network: Network,
    pub image: image::Image,
    pub objects: objects::Objects,
    pub dashboard: dashboard::Dashboard,
    pub s3: s3::S3,
    pub node: Node,
    pub limits: limits::Limits,
    pub log: Log,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Where all APIs are served. Loopback until the operator opens it: passwords travel here.
    pub listen: SocketAddr,
    /// What the catalog tells clients; derived from `listen` when empty.
    pub public_url: String,
    /// PEM files; with both set the API speaks HTTPS.
    pub certificate: Option<PathBuf>,
    pub private_key: Option<PathBuf>,
    pub region: String,
    /// oslo.policy's `policy.yaml` with the operator's own rules.
    pub policy: Option<PathBuf>,
    pub token_hours: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// For how long the half of a login that needs several methods waits for the other half.
    pub receipt_seconds: u64,
    /// Whether the roles of the first start (admin, manager, member, reader, service) are made so that nobody changes or
    /// deletes them by mistake. Those that are there already stay as they are.
    pub immutable_roles: bool,
    /// `flat`, or `strict_two_level`, where the limits of a project and of those below it together keep within one.
    pub limit_model: LimitModel,
    /// Rules for passwords and logins, in Keystone's words; none is in force unless it is set.
    pub security_compliance: SecurityCompliance,
    pub totp: Totp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fleet {
    /// Where nodes connect, with mutual TLS.
    pub listen: SocketAddr,
    /// Under which addresses nodes reach it; the one of `listen` when empty.
    pub addresses: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// True: Ferrostack runs the OVN databases and northd itself. False: it uses those at `northbound` and `southbound`.
    pub run_ovn: bool,
    pub northbound: Option<String>,
    pub southbound: Option<String>,
    /// Where nodes of other hosts reach the southbound database, with mutual TLS.
    pub southbound_listen: Option<SocketAddr>,
    /// Physical networks on which provider networks may be made, with the VLANs for which none was asked.
    pub physical_networks: BTreeMap<String, VlanRange>,
    /// The path MTU between hosts, from which the tenants' MTU follows.
    pub underlay_mtu: u32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VlanRange {
    pub first_vlan: u16,
    pub last_vlan: u16,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    pub hostname: Option<String>,
    /// The network namespace in which the agent runs; the host's own when none is named.
    pub namespace: Option<String>,
    /// The address of the tunnels between hosts.
    pub encap_ip: IpAddr,
    /// `auto`, `kernel` or `userspace`.
    pub datapath: String,
    /// True: the agent runs Open vSwitch and ovn-controller itself. False: it uses those of the host.
    pub run_ovs: bool,
    pub physical_networks: BTreeMap<String, Physical>,
    /// `auto`, `kvm` or `tcg`.
    pub accelerator: String,
    /// Kept back for the host itself, MiB and GiB.
    pub reserved_memory_mb: i64,
    pub reserved_disk_gb: i64,
    /// GiB of images that no machine uses any more; a tenth of the disk if not said.
    pub image_cache_gb: Option<u64>,
    /// Machines run as users of their own, of which this is the first of 65,536; chosen at the first start if not said.
    pub first_uid: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Physical {
    /// The bridge of this host that leads to the physical network.
    pub bridge: String,
    /// The NIC to put on that bridge; none for a network inside this host.
    #[serde(default)]
    pub nic: Option<String>,
    /// The address by which the host itself takes part, e.g. `172.24.4.1/24`.
    #[serde(default)]
    pub address: Option<String>,
    /// The device that gets the address, if it is not the bridge.
    #[serde(default)]
    pub host_device: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `info`, or a filter such as `info,network=debug`.
    pub filter: String,
    /// A file of the log that is larger than this is put aside; so many that were are kept beside it.
    pub file_mib: u64,
    pub files: u32,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            public_url: String::new(),
            certificate: None,
            private_key: None,
            region: "RegionOne".into(),
            policy: None,
            token_hours: 24,
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            receipt_seconds: 300,
            immutable_roles: true,
            limit_model: LimitModel::default(),
            security_compliance: SecurityCompliance::default(),
            totp: Totp::default(),
        }
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 8081).into(), addresses: Vec::new() }
    }
}

impl Fleet {
    /// Where nodes and the other controllers reach this one.
    pub fn addresses(&self) -> Vec<String> {
        match self.addresses.as_slice() {
            [] => vec![self.listen.to_string()],
            some => some.to_vec(),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            run_ovn: true,
            northbound: None,
            southbound: None,
            southbound_listen: None,
            physical_networks: BTreeMap::new(),
            underlay_mtu: 1500,
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            hostname: None,
            namespace: None,
            encap_ip: Ipv4Addr::LOCALHOST.into(),
            datapath: "auto".into(),
            run_ovs: true,
            physical_networks: BTreeMap::new(),
            accelerator: "auto".into(),
            reserved_memory_mb: 512,
            reserved_disk_gb: 2,
            image_cache_gb: None,
            first_uid: None,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), file_mib: 64, files: 3 }
    }
}

impl Config {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("read {}; `ferrostack up` writes one with defaults", path.display()))?;
        let config: Self = toml::from_str(&text).with_context(|| format!("understand {}", path.display()))?;
        config.check().with_context(|| format!("check {}", path.display()))?;
        Ok(config)
    }

    pub fn public_url(&self) -> String {
        if !self.api.public_url.is_empty() {
            return self.api.public_url.trim_end_matches('/').to_owned();
        }
        let scheme = if self.api.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.api.listen)
    }

    pub fn database_url(&self, home: &Home) -> String {
        if self.database.url.is_empty() {
            format!("sqlite:{}", home.state.join("ferrostack.db").display())
        } else {
            self.database.url.clone()
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.api.certificate.is_some() != self.api.private_key.is_some() {
            bail!("api.certificate and api.private_key are set together or not at all");
        }
        if self.identity.receipt_seconds == 0 {
            bail!("identity.receipt_seconds is at least 1");
        }
        self.identity.security_compliance.check().map_err(|wrong| anyhow::anyhow!("identity.security_compliance: {wrong}"))?;
        // Clients and hosts are told where to go; "any address" is no place.
        if self.api.listen.ip().is_unspecified() && self.api.public_url.is_empty() {
            bail!(
                "api.listen is {}, so say in api.public_url how clients reach it, e.g. \"https://cloud.example.org:8080\"",
                self.api.listen
            );
        }
        if self.fleet.listen.ip().is_unspecified() && self.fleet.addresses.is_empty() {
            bail!(
                "fleet.listen is {}, so say in fleet.addresses how hosts reach it, e.g. [\"192.168.42.10:8081\"]",
                self.fleet.listen
            );
        }
        if self.network.southbound_listen.is_some_and(|listen| listen.ip().is_unspecified()) {
            bail!("network.southbound_listen names the address that other hosts reach, e.g. \"192.168.42.10:6642\"");
        }
        if !self.network.run_ovn && (self.network.northbound.is_none() || self.network.southbound.is_none()) {
            bail!(
                "network.run_ovn = false needs network.northbound and network.southbound, e.g. \"unix:/run/ovn/ovnnb_db.sock\""
            );
        }
        self.database.check()?;
        self.federation.check()?;
        if !matches!(self.node.datapath.as_str(), "auto" | "kernel" | "userspace") {
            bail!("node.datapath is auto, kernel or userspace, not {:?}", self.node.datapath);
        }
        if !matches!(self.node.accelerator.as_str(), "auto" | "kvm" | "tcg") {
            bail!("node.accelerator is auto, kvm or tcg, not {:?}", self.node.accelerator);
        }
        if self.node.first_uid.is_some_and(|first| !(1000..=i32::MAX as u32 - 65_536).contains(&first)) {
            bail!("node.first_uid begins a range of 65,536 users: from 1000 to {}", i32::MAX - 65_536);
        }
        self.events.check()?;
        self.image.check()?;
        self.objects.check()?;
        self.s3.check()?;
        self.limits.check()?;
        for (name, range) in &self.network.physical_networks {
            if range.first_vlan < 1 || range.last_vlan > 4094 || range.first_vlan > range.last_vlan {
                bail!("network.physical_networks.{name}: VLANs lie between 1 and 4094, the first not after the last");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ferrostack.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn an_empty_file_is_a_good_configuration() {
        let config = read("").unwrap();
        assert_eq!(config.public_url(), "http://127.0.0.1:8080");
        assert_eq!(config.s3_address().map(|address| config.s3_url_at(address)).unwrap(), "http://127.0.0.1:8082");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_way_out() {
        let table = [
            ("[api]\nlisten = 7", "invalid type"),
            ("[api]\nlisten = \"0.0.0.0:8080\"", "api.public_url"),
            ("[api]\ncertificate = \"/x\"", "set together"),
            ("[api]\nport = 1", "unknown field `port`"),
            ("[identity.security_compliance]\nlockout_failure_attempts = 0", "at least 1"),
            ("[identity]\nreceipt_seconds = 0", "receipt_seconds is at least 1"),
            ("[identity]\nlimit_model = \"tree\"", "strict_two_level"),
            ("[identity.security_compliance]\npassword_regex = \"(\"", "regular expression"),
            ("[identity.security_compliance]\npassword_expires_days = 1\nminimum_password_age = 1", "less than"),
            ("[identity.security_compliance]\nlockout = 3", "unknown field `lockout`"),
            ("[fleet]\nlisten = \"0.0.0.0:8081\"", "fleet.addresses"),
            ("[network]\nsouthbound_listen = \"0.0.0.0:6642\"", "other hosts reach"),
            ("[network]\nrun_ovn = false", "network.northbound"),
            ("[network.physical_networks]\nlan = { first_vlan = 0, last_vlan = 10 }", "between 1 and 4094"),
            ("[federation]\ntrusted_dashboard = [\"cloud.test\"]", "not a whole address"),
            (
                "[[federation.oidc]]\nidentity_provider = \"a\"\nprotocol = \"openid\"\nissuer = \"sso.test\"\nclient_id = \"c\"",
                "the issuer is a URL",
            ),
            ("[[federation.oidc]]\nprotocol = \"openid\"", "missing field"),
            ("[node]\ndatapath = \"fast\"", "auto, kernel or userspace"),
            ("[node]\naccelerator = \"warp\"", "auto, kvm or tcg"),
            ("[node]\nfirst_uid = 0", "range of 65,536 users"),
            ("[[image.stores]]\nid = \"a\"\npath = \"images\"", "path is absolute"),
            ("[[image.stores]]\nid = \"a,b\"\npath = \"/images\"", "cannot be used"),
            ("[[image.stores]]\nid = \"a\"", "either a path or s3"),
            ("[s3]\ndomain = \"S3 example\"", "small letters"),
            ("[objects]\npath = \"objects\"", "path is absolute"),
            (
                "[objects.s3]\nendpoint = \"https://s3\"\nbucket = \"b\"\naccess_key = \"a\"\nsecret_key_file = \"/s\"",
                "a prefix of its own",
            ),
            (
                "[[image.stores]]\nid = \"a\"\n[image.stores.s3]\nendpoint = \"https://s3\"\nbucket = \"b\"\nprefix = \"x\"\n\
                 access_key = \"k\"\nsecret_key_file = \"/k\"",
                "the prefix ends with a slash",
            ),
            ("[image.web_download]\nallow = [\"lan\"]", "understand"),
            ("[image.import]\nconversion = \"vmdk\"", "`raw` or `qcow2`"),
            ("[limits]\nconnections = 0", "limits.connections is at least 1"),
            ("[limits.metadata]\nper_guest = 0", "limits.metadata.per_guest is at least 1"),
            ("[limits]\nbananas = 1", "unknown field `bananas`"),
            ("not toml", "understand"),
        ];
        for (text, words) in table {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
