// SPDX-License-Identifier: Apache-2.0
//! A real ovsdb-server in a directory of its own, for the tests of this crate.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, SanType};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::ovsdb::{Remote, TlsFiles};

pub(crate) const NORTHBOUND: &str = "/usr/share/ovn/ovn-nb.ovsschema";
pub(crate) const VSWITCH: &str = "/usr/share/openvswitch/vswitch.ovsschema";

pub(crate) struct Server {
    pub(crate) dir: TempDir,
    extra: Vec<String>,
    child: Option<Child>,
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

pub(crate) fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    // OpenSSL takes a certificate whose subject equals its issuer's for a self-signed one.
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes a key, a certificate for 127.0.0.1 and the authority's own into a directory.
pub(crate) fn issue(dir: &Path, name: &str, issuer: &CertifiedIssuer<'static, KeyPair>) -> TlsFiles {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    let certificate = params.signed_by(&key, issuer).unwrap();
    let write = |kind: &str, text: String| {
        let path = dir.join(format!("{name}.{kind}"));
        std::fs::write(&path, text).unwrap();
        path
    };
    TlsFiles {
        private_key: write("key", key.serialize_pem()),
        certificate: write("crt", certificate.pem()),
        ca_cert: write("ca", issuer.pem()),
        peer_name: None,
    }
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    pub(crate) fn start(schema: &str) -> Self {
        Self::start_with(schema, |_| Vec::new())
    }

    /// Starts with more arguments, which may name files in the server's directory.
    pub(crate) fn start_with(schema: &str, extra: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let dir = tempfile::Builder::new().prefix("ovsdb").tempdir().unwrap();
        let database = dir.path().join("test.db");
        run("ovsdb-tool", &["create", database.to_str().unwrap(), schema]);
        let extra = extra(dir.path());
        let mut server = Self { dir, extra, child: None };
        server.resume();
        server
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn remote(&self) -> Remote {
        Remote::Unix(self.path("db.sock"))
    }

    pub(crate) fn address(&self) -> String {
        self.remote().to_string()
    }

    pub(crate) fn pause(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        std::fs::remove_file(self.path("db.sock")).ok();
    }

    pub(crate) fn resume(&mut self) {
        let child = Command::new("ovsdb-server")
            .arg(self.path("test.db"))
            .arg(format!("--remote=punix:{}", self.path("db.sock").display()))
            .arg(format!("--unixctl={}", self.path("ctl").display()))
            .args(&self.extra)
            .env("OVS_RUNDIR", self.dir.path())
            .env("OVS_DBDIR", self.dir.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..500 {
            if std::os::unix::net::UnixStream::connect(self.path("db.sock")).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("ovsdb-server did not come up");
    }

    pub(crate) fn nbctl(&self, arguments: &[&str]) -> String {
        let db = format!("--db={}", self.address());
        let arguments: Vec<&str> = [db.as_str(), "--no-leader-only"].iter().chain(arguments).copied().collect();
        run("ovn-nbctl", &arguments)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.pause();
    }
}
