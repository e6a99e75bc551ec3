// SPDX-License-Identifier: Apache-2.0
//! Who a node is to its controllers: its key, and the certificate that the cloud's authority gave it.

use std::sync::Arc;

use contracts::node::JoinReply;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ClientConfig;
use types::{NodeId, Secret};

use super::tls;
use crate::Result;

#[derive(Debug, Clone)]
pub struct Credentials {
    pub node_id: NodeId,
    /// PEM, all three.
    pub key: Secret<String>,
    pub certificate: String,
    pub authority: String,
}

impl Credentials {
    pub fn new(key: Secret<String>, reply: JoinReply) -> Self {
        Self { node_id: reply.node_id, key, certificate: reply.certificate, authority: reply.authority }
    }

    /// A key for a node that has none yet, PEM.
    pub fn new_key() -> Result<Secret<String>> {
        Ok(Secret::new(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?.serialize_pem()))
    }

    /// With what connections to a controller are made.
    pub fn tls(&self) -> Result<Arc<ClientConfig>> {
        tls::joined(&self.certificate, &KeyPair::from_pem(self.key.reveal())?, &self.authority)
    }

    /// Whether less than a third of the certificate's life is left.
    pub fn wants_renewal(&self) -> bool {
        tls::life_left(&self.certificate).is_none_or(|left| left < 1.0 / 3.0)
    }
}

pub(super) fn certificate_request(key: &Secret<String>, name: &str) -> Result<String> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params.serialize_request(&KeyPair::from_pem(key.reveal())?)?.pem()?)
}
