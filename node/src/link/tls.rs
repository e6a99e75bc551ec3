// SPDX-License-Identifier: Apache-2.0
//! TLS towards the controller: by fingerprint while joining, by the kept authority afterwards.

use std::sync::Arc;

use rcgen::KeyPair;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{Error, Result};

pub(super) fn joined(certificate: &str, key: &KeyPair, authority: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(der(authority)?).map_err(|error| Error::tls("trust the cloud's authority", error))?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| Error::Unfit(format!("the node's key: {error}")))?;
    let config = builder()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![der(certificate)?], key)
        .map_err(|error| Error::tls("use the node's certificate", error))?;
    Ok(with_http2(config))
}

pub(crate) fn joining(fingerprint: &str) -> Result<Arc<ClientConfig>> {
    let verifier = ByFingerprint { fingerprint: fingerprint.to_ascii_lowercase(), provider: provider() };
    let config = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    Ok(with_http2(config))
}

/// The part of a certificate's life that is still to come.
pub(super) fn life_left(pem: &str) -> Option<f64> {
    let der = der(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let validity = certificate.validity();
    let (from, to) = (validity.not_before.timestamp() as f64, validity.not_after.timestamp() as f64);
    Some((to - types::Timestamp::now().seconds() as f64) / (to - from))
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| Error::tls("speak TLS 1.3", error))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn with_http2(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn der(pem: &str) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| Error::tls("read a certificate", error))
}

/// Trusts whatever the authority with this fingerprint signed, and nothing else.
///
/// Invariant: a controller with another authority learns nothing of the token (test: `a_wrong_fingerprint_is_refused`).
#[derive(Debug)]
struct ByFingerprint {
    fingerprint: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ByFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authority = intermediates.iter().find(|der| hex::encode(Sha256::digest(der)) == self.fingerprint);
        let authority = authority.ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_certificate_tells_how_much_of_its_life_is_left() {
        let day = Duration::from_secs(24 * 3600);
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let now = Duration::from_secs(types::Timestamp::now().seconds() as u64);
        let left = |passed: u32, to_come: u32| {
            let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
            (params.not_before, params.not_after) = (epoch + now - day * passed, epoch + now + day * to_come);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            life_left(&certificate.pem()).unwrap()
        };
        assert!((left(100, 300) - 0.75).abs() < 0.01);
        assert!((left(300, 100) - 0.25).abs() < 0.01);
        assert!(left(20, 0) < 0.01);
        assert_eq!(life_left("no certificate"), None);
    }
}
