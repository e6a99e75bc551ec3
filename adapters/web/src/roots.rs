// SPDX-License-Identifier: Apache-2.0
//! Certificate authorities: those of the host, where the operator adds his own, too.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::Error;

/// Where Debian and Ubuntu, Fedora, and Alpine keep them. `SSL_CERT_FILE` comes first, as with OpenSSL.
const PLACES: [&str; 3] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

pub(crate) fn of_this_host() -> Result<Arc<ClientConfig>, Error> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let mut roots = RootCertStore::empty();
    for place in named.into_iter().chain(PLACES.map(PathBuf::from)) {
        let Ok(certificates) = CertificateDer::pem_file_iter(&place) else { continue };
        // One that cannot be read does not spoil the others.
        roots.add_parsable_certificates(certificates.filter_map(Result::ok));
        if !roots.is_empty() {
            return Ok(config(roots));
        }
    }
    Err(Error::NoRoots)
}

pub(crate) fn config(roots: RootCertStore) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
