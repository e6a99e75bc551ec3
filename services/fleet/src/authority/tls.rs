// SPDX-License-Identifier: Apache-2.0
//! TLS of the node listener: 1.3 only, our certificate, and client certificates of our own authority.

use std::{
    fmt, fs,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};

use super::Authority;
use crate::{Error, Result, error::Doing};

/// The listener's TLS, whose certificate can be exchanged while it serves.
#[derive(Clone)]
pub(crate) struct ServerTls {
    pub config: Arc<ServerConfig>,
    current: Arc<Current>,
}

struct Current(RwLock<Arc<CertifiedKey>>);

impl Authority {
    pub fn server_tls(&self) -> Result<ServerTls> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let current = Arc::new(Current(RwLock::new(self.load_controller(&provider)?)));
        let mut roots = RootCertStore::empty();
        roots.add(der_of_pem(self.certificate())?).map_err(|error| Error::tls("trust our authority", error))?;
        // A host that joins has no certificate yet; which requests it may make is decided per request.
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .allow_unauthenticated()
            .build()
            .map_err(|error| Error::tls("check client certificates", error))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Error::tls("speak TLS 1.3", error))?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(ServerTls { config: Arc::new(config), current })
    }

    /// Towards another controller, which shows a certificate of the same authority.
    pub fn client_tls(&self) -> Result<Arc<ClientConfig>> {
        let files = self.files();
        let read = |path: &std::path::Path| fs::read_to_string(path).doing(|| format!("read {}", path.display()));
        let mut roots = RootCertStore::empty();
        roots.add(der_of_pem(self.certificate())?).map_err(|error| Error::tls("trust our authority", error))?;
        let key =
            PrivateKeyDer::from_pem_slice(read(&files.key)?.as_bytes()).map_err(|error| Error::tls("read our key", error))?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Error::tls("speak TLS 1.3", error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![der_of_pem(&read(&files.certificate)?)?], key)
            .map_err(|error| Error::tls("use our certificate", error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    /// Serves the certificate that the files hold now.
    pub fn reload(&self, tls: &ServerTls) -> Result<()> {
        let fresh = self.load_controller(tls.config.crypto_provider())?;
        *tls.current.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The authority's own certificate goes along: a joining host knows it by fingerprint only.
    fn load_controller(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>> {
        let files = self.files();
        let read = |path: &std::path::Path| fs::read_to_string(path).doing(|| format!("read {}", path.display()));
        let chain = vec![der_of_pem(&read(&files.certificate)?)?, der_of_pem(self.certificate())?];
        let key =
            PrivateKeyDer::from_pem_slice(read(&files.key)?.as_bytes()).map_err(|error| Error::tls("read our key", error))?;
        let key = provider.key_provider.load_private_key(key).map_err(|error| Error::tls("use our key", error))?;
        Ok(Arc::new(CertifiedKey::new(chain, key)))
    }
}

pub(super) fn der_of_pem(pem: &str) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| Error::tls("read a certificate", error))
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}
