// SPDX-License-Identifier: Apache-2.0
//! The six daemons of a cloud: three on every host, three more where the network is controlled.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::daemon::{Daemon, Farewell};
use super::database::Database;
use crate::ovsdb::{Remote, TlsFiles};

/// Where the daemons of one host keep their files.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Sockets and pid files. Gone after a reboot, or it may be.
    pub run: PathBuf,
    /// Databases.
    pub db: PathBuf,
    pub log: PathBuf,
    /// A named network namespace to start the daemons in, where that is not our own.
    pub netns: Option<String>,
}

/// An address on which the southbound database is served to other hosts, to those that show a certificate of our authority;
/// see [`admit_hosts`](super::admit_hosts).
#[derive(Clone, Debug)]
pub struct Listen {
    pub address: IpAddr,
    pub port: u16,
    pub tls: TlsFiles,
}

impl Listen {
    /// As OVSDB writes it.
    pub(super) fn target(&self) -> String {
        match self.address {
            IpAddr::V4(address) => format!("pssl:{}:{address}", self.port),
            IpAddr::V6(address) => format!("pssl:{}:[{address}]", self.port),
        }
    }
}

impl Layout {
    /// The directories `run`, `db` and `log` under a root.
    pub fn under(root: &Path) -> Self {
        Self { run: root.join("run"), db: root.join("db"), log: root.join("log"), netns: None }
    }

    /// Where the switch's database answers.
    pub fn switch_remote(&self) -> Remote {
        Remote::Unix(self.run.join("db.sock"))
    }

    /// Where the northbound database answers on its own host.
    pub fn northbound_remote(&self) -> Remote {
        Remote::Unix(self.run.join("nb.sock"))
    }

    /// Where the southbound database answers on its own host.
    pub fn southbound_remote(&self) -> Remote {
        Remote::Unix(self.run.join("sb.sock"))
    }

    /// The database of the local switch.
    pub fn switch_database(&self) -> Daemon {
        let schema = "/usr/share/openvswitch/vswitch.ovsschema";
        self.ovsdb_server("ovsdb-server", "conf.db", schema, &self.switch_remote(), Vec::new())
    }

    /// The local switch.
    pub fn switch(&self) -> Daemon {
        let arguments = vec![self.switch_remote().to_string().into(), self.control_argument("ovs-vswitchd")];
        Daemon::new("ovs-vswitchd", "ovs-vswitchd", self, arguments)
    }

    /// The northbound database: the network as the cloud wants it. Nobody but the controller writes it, so it is served on its
    /// own host alone.
    pub fn northbound_database(&self) -> Daemon {
        let schema = "/usr/share/ovn/ovn-nb.ovsschema";
        self.ovsdb_server("ovsdb-server-nb", "nb.db", schema, &self.northbound_remote(), Vec::new())
    }

    /// The southbound database: the network as the chassis need it. Where it listens to them stands in itself, as their role
    /// does.
    pub fn southbound_database(&self, listen: &[Listen]) -> Daemon {
        let schema = "/usr/share/ovn/ovn-sb.ovsschema";
        let mut more = Vec::new();
        // A server has one certificate, whichever address it is asked at.
        if let Some(listen) = listen.first() {
            more.push("--remote=db:OVN_Southbound,SB_Global,connections".into());
            more.extend(tls_arguments(&listen.tls));
        }
        self.ovsdb_server("ovsdb-server-sb", "sb.db", schema, &self.southbound_remote(), more)
    }

    /// The translator between the two.
    pub fn northd(&self) -> Daemon {
        let arguments = vec![
            format!("--ovnnb-db={}", self.northbound_remote()).into(),
            format!("--ovnsb-db={}", self.southbound_remote()).into(),
            self.control_argument("ovn-northd"),
        ];
        Daemon::new("ovn-northd", "ovn-northd", self, arguments)
    }

    /// The one who programs the local switch from the southbound database. TLS files are needed if that is elsewhere.
    pub fn controller(&self, tls: Option<&TlsFiles>) -> Daemon {
        let mut arguments = vec![self.switch_remote().to_string().into()];
        arguments.extend(tls.into_iter().flat_map(tls_arguments));
        Daemon::new("ovn-controller", "ovn-controller", self, arguments).with_farewell(Farewell::Ask)
    }

    /// The daemons of every host, in the order to start them.
    pub fn host(&self, tls: Option<&TlsFiles>) -> Vec<Daemon> {
        vec![self.switch_database(), self.switch(), self.controller(tls)]
    }

    /// The daemons where the network is controlled, in the order to start them. The southbound database listens to the
    /// other hosts, if there are any, once they are admitted.
    pub fn central(&self, southbound: &[Listen]) -> Vec<Daemon> {
        vec![self.northbound_database(), self.southbound_database(southbound), self.northd()]
    }

    fn ovsdb_server(&self, name: &'static str, file: &str, schema: &str, local: &Remote, more: Vec<OsString>) -> Daemon {
        let path = self.db.join(file);
        let mut arguments = vec![path.clone().into(), format!("--remote=p{local}").into(), self.control_argument(name)];
        arguments.extend(more);
        Daemon::new(name, "ovsdb-server", self, arguments).with_database(Database { path, schema: schema.into() })
    }

    fn control_argument(&self, name: &str) -> OsString {
        argument("--unixctl=", &self.run.join(format!("{name}.ctl")))
    }
}

fn tls_arguments(tls: &TlsFiles) -> [OsString; 3] {
    [
        argument("--private-key=", &tls.private_key),
        argument("--certificate=", &tls.certificate),
        argument("--ca-cert=", &tls.ca_cert),
    ]
}

pub(super) fn argument(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}
