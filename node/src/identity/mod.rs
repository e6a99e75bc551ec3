// SPDX-License-Identifier: Apache-2.0
//! Who this node is, as it is kept: its key, the certificate that the cloud's authority gave it, and where controllers are.
//!
//! The key is made before the first attempt to join and kept, so that an attempt whose answer was lost can be
//! repeated with the same token: the controller recognises the key.

mod join;

use std::{fs, path::Path, sync::Arc};

use contracts::{join::JoinToken, node::JoinReply};
use ovn::ovsdb::TlsFiles;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use types::{NodeId, Secret};
use work::durable;

use crate::{Error, NodeConfig, Result, error::Doing, link::Credentials, state_dir::StateDir};

pub(crate) use join::join;

/// What is kept in `identity.json`; the key lies beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    node_id: NodeId,
    /// PEM.
    certificate: String,
    authority: String,
    controllers: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Identity {
    kept: Kept,
    state: StateDir,
}

impl Identity {
    /// The identity of a node that has joined.
    pub fn load(state: &StateDir) -> Result<Option<Self>> {
        let path = state.identity().join("identity.json");
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).doing(|| format!("read {}", path.display())),
        };
        let kept = serde_json::from_slice(&json)
            .map_err(|error| Error::Unfit(format!("{} is damaged ({error}); remove it and join again", path.display())))?;
        let identity = Self { kept, state: state.clone() };
        identity.write_files()?;
        Ok(Some(identity))
    }

    /// The token with which this host may join, if its operator gave one.
    pub fn token(config: &NodeConfig) -> Result<JoinToken> {
        let word = config.join_token.as_ref().ok_or_else(|| {
            Error::Unfit(
                "this host has not joined a cloud: give it a join token (`ferrostack node token` on the controller)".into(),
            )
        })?;
        word.reveal().parse().map_err(|error: contracts::join::BadJoinToken| Error::Unfit(error.to_string()))
    }

    fn keep(state: &StateDir, reply: JoinReply, controllers: Vec<String>) -> Result<Self> {
        let kept = Kept { node_id: reply.node_id, certificate: reply.certificate, authority: reply.authority, controllers };
        let path = state.identity().join("identity.json");
        let json = serde_json::to_vec_pretty(&kept).map_err(std::io::Error::other).doing(|| "write the identity".into())?;
        durable::write(&path, &json).doing(|| format!("write {}", path.display()))?;
        let identity = Self { kept, state: state.clone() };
        identity.write_files()?;
        Ok(identity)
    }

    /// The same identity with a fresh certificate.
    pub fn renewed(&self, reply: JoinReply) -> Result<Self> {
        Self::keep(&self.state, reply, self.kept.controllers.clone())
    }

    /// Keeps the addresses at which controllers were said to be, if there are any.
    pub fn know_controllers(&mut self, controllers: Vec<String>) -> Result<()> {
        if controllers.is_empty() || controllers == self.kept.controllers {
            return Ok(());
        }
        let Kept { node_id, certificate, authority, .. } = self.kept.clone();
        *self = Self::keep(&self.state, JoinReply { node_id, certificate, authority }, controllers)?;
        Ok(())
    }

    /// PEM files for OVN's daemons, written from what is kept.
    fn write_files(&self) -> Result<()> {
        let dir = self.state.identity();
        for (name, pem) in [("certificate.pem", &self.kept.certificate), ("authority.pem", &self.kept.authority)] {
            durable::write(&dir.join(name), pem.as_bytes()).doing(|| format!("write {name}"))?;
        }
        Ok(())
    }

    pub fn node_id(&self) -> &NodeId {
        &self.kept.node_id
    }

    /// PEM files for daemons of this host that speak to the cloud.
    pub fn tls_files(&self) -> TlsFiles {
        let dir = self.state.identity();
        TlsFiles {
            private_key: dir.join("key.pem"),
            certificate: dir.join("certificate.pem"),
            ca_cert: dir.join("authority.pem"),
            peer_name: None,
        }
    }

    /// The same for the daemons by which volumes go from host to host.
    pub fn storage_files(&self) -> qemu::storage::TlsFiles {
        let TlsFiles { private_key: key, certificate, ca_cert: authority, .. } = self.tls_files();
        qemu::storage::TlsFiles { key, certificate, authority }
    }

    pub fn controllers(&self) -> &[String] {
        &self.kept.controllers
    }

    pub fn credentials(&self) -> Result<Credentials> {
        let Kept { node_id, certificate, authority, .. } = self.kept.clone();
        Ok(Credentials { node_id, key: key(&self.state)?, certificate, authority })
    }

    pub fn tls(&self) -> Result<Arc<ClientConfig>> {
        self.credentials()?.tls()
    }
}

/// This host's key, made if there is none.
fn key(state: &StateDir) -> Result<Secret<String>> {
    let path = state.identity().join("key.pem");
    if let Some(pem) = read_if_there(&path)? {
        return Ok(Secret::new(pem));
    }
    let key = Credentials::new_key()?;
    durable::write(&path, key.reveal().as_bytes()).doing(|| format!("write {}", path.display()))?;
    Ok(key)
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(|| format!("read {}", path.display())),
    }
}
