// SPDX-License-Identifier: Apache-2.0
//! The cloud's own certificate authority: made once, kept in the state directory, known to nobody else.
//!
//! It signs the controller's certificate and one for each node. OVN's daemons use the same files for `ssl:`, and
//! OpenSSL wants both key usages and both extended ones even with EC keys.

mod tls;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use contracts::{Refusal, join::CONTROLLER_NAME};
use hmac::{Hmac, KeyInit, Mac};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use sha2::{Digest, Sha256};
use types::{NodeId, Timestamp};
use work::durable;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::{Result, error::Doing};

const DAY: Duration = Duration::from_secs(24 * 3600);
const AUTHORITY_LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
const CERTIFICATE_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// PEM files for daemons of the controller that speak TLS, such as OVN's databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub key: PathBuf,
    pub certificate: PathBuf,
    pub authority: PathBuf,
}

pub(crate) struct Authority {
    dir: PathBuf,
    /// PEM.
    certificate: String,
    fingerprint: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that the authority made for a node.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub pem: String,
    pub fingerprint: String,
    pub serial: String,
    pub expires_at: Timestamp,
}

/// A certificate request whose signature was checked.
pub(crate) struct CheckedRequest {
    request: CertificateSigningRequestParams,
    /// Hex SHA-256 of the public key, by which a repeated request is recognised.
    pub key_hash: String,
}

impl Authority {
    pub fn open(state_dir: &Path) -> Result<Self> {
        let dir = state_dir.join("authority");
        if !dir.join("authority.key").is_file() {
            create(&dir)?;
        }
        let read = |name: &str| {
            let path = dir.join(name);
            fs::read_to_string(&path).doing(|| format!("read {}", path.display()))
        };
        let certificate = read("authority.pem")?;
        let key = KeyPair::from_pem(&read("authority.key")?)?;
        let fingerprint = fingerprint(&tls::der_of_pem(&certificate)?);
        let issuer = Issuer::from_ca_cert_pem(&certificate, key)?;
        Ok(Self { dir, certificate, fingerprint, issuer })
    }

    /// A key for this purpose: the same at every start, and at every controller of the cloud.
    pub fn key_for(&self, purpose: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.issuer.key().serialize_der()).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            key: self.dir.join("controller.key"),
            certificate: self.dir.join("controller.pem"),
            authority: self.dir.join("authority.pem"),
        }
    }

    /// Only the key of the request is used: what it asks to be called is not for it to say.
    pub fn sign_node(&self, node: &NodeId, request: &CheckedRequest) -> Result<Issued> {
        self.sign(leaf(node.as_str(), Vec::new())?, &request.request.public_key)
    }

    /// Writes a fresh certificate for the controller's kept key; daemons that use the files reload them by themselves.
    pub fn renew_controller(&self, addresses: &[String]) -> Result<()> {
        let files = self.files();
        let key = match fs::read_to_string(&files.key) {
            Ok(pem) => KeyPair::from_pem(&pem)?,
            Err(_) => {
                let key = generate_key()?;
                durable::write(&files.key, key.serialize_pem().as_bytes()).doing(|| "write the controller's key".into())?;
                key
            }
        };
        let hosts = addresses.iter().filter_map(|address| Some(address.rsplit_once(':')?.0.trim_matches(['[', ']']).to_owned()));
        let names = std::iter::once(CONTROLLER_NAME.to_owned()).chain(hosts).collect();
        let issued = self.sign(leaf(CONTROLLER_NAME, names)?, &key)?;
        durable::write(&files.certificate, issued.pem.as_bytes()).doing(|| "write the controller's certificate".into())
    }

    fn sign(&self, mut params: CertificateParams, key: &impl PublicKeyData) -> Result<Issued> {
        let expires_at = Timestamp::now().plus(CERTIFICATE_LIFE);
        let serial = random_serial();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, CERTIFICATE_LIFE);
        let certificate = params.signed_by(key, &self.issuer)?;
        Ok(Issued {
            fingerprint: fingerprint(certificate.der()),
            pem: certificate.pem(),
            serial: hex::encode(serial),
            expires_at,
        })
    }
}

impl CheckedRequest {
    pub fn read(pem: &str) -> Result<Self> {
        let request = CertificateSigningRequestParams::from_pem(pem)
            .map_err(|error| Refusal::invalid(format!("the certificate request cannot be used: {error}")))?;
        let key_hash = hex::encode(Sha256::digest(request.public_key.der_bytes()));
        Ok(Self { request, key_hash })
    }
}

pub(crate) fn fingerprint(der: &[u8]) -> String {
    hex::encode(Sha256::digest(der))
}

/// Whether a certificate that our authority signed is a controller's: it bears the name that no node gets.
///
/// Invariant: a node is never taken for a controller (test: `a_controller_is_known_by_its_certificate`).
pub(crate) fn is_controller(der: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| matches!(name, GeneralName::DNSName(name) if *name == CONTROLLER_NAME))
}

/// Key and certificate appear together or not at all: a half-made authority must never be used.
fn create(dir: &Path) -> Result<()> {
    let key = generate_key()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Ferrostack authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(SerialNumber::from_slice(&random_serial()));
    valid_for(&mut params, AUTHORITY_LIFE);
    let certificate = params.self_signed(&key)?;

    let fresh = dir.with_extension("new");
    let write = || -> std::io::Result<()> {
        durable::remove_dir(&fresh)?;
        durable::make_dir(&fresh)?;
        durable::write(&fresh.join("authority.key"), key.serialize_pem().as_bytes())?;
        durable::write(&fresh.join("authority.pem"), certificate.pem().as_bytes())?;
        fs::rename(&fresh, dir)?;
        durable::sync_directory_of(dir)
    };
    write().doing(|| format!("make the authority in {}", dir.display()))
}

fn generate_key() -> Result<KeyPair> {
    Ok(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?)
}

fn leaf(common_name: &str, names: Vec<String>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// From yesterday, for hosts whose clocks are late.
fn valid_for(params: &mut CertificateParams, life: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(u64::try_from(Timestamp::now().seconds()).unwrap_or_default());
    params.not_before = epoch + now.saturating_sub(DAY);
    params.not_after = epoch + now + life;
}

/// Random, positive, and never twice.
fn random_serial() -> [u8; 16] {
    let mut serial = *uuid::Uuid::new_v4().as_bytes();
    serial[0] = serial[0] & 0x3f | 0x40;
    serial
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_known_by_its_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
        authority.renew_controller(&["10.0.0.1:8081".to_owned()]).unwrap();
        let own = fs::read_to_string(authority.files().certificate).unwrap();
        assert!(is_controller(&tls::der_of_pem(&own).unwrap()));

        // A node that asks to be called a controller is called what it is.
        let key = generate_key().unwrap();
        let request = CertificateParams::new(vec![CONTROLLER_NAME.to_owned()]).unwrap().serialize_request(&key).unwrap();
        let checked = CheckedRequest::read(&request.pem().unwrap()).unwrap();
        let issued = authority.sign_node(&NodeId::new(CONTROLLER_NAME), &checked).unwrap();
        assert!(!is_controller(&tls::der_of_pem(&issued.pem).unwrap()));
    }
}
