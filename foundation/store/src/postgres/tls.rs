// SPDX-License-Identifier: Apache-2.0
//! TLS towards PostgreSQL, as libpq's `sslmode` has it, on the rustls that the rest of the house uses.
//!
//! With channel binding (RFC 5929, `tls-server-end-point`) a password that is proven by SCRAM is proven to the holder of the
//! server's certificate and to nobody in between, also where nobody vouches for that certificate.

use std::{
    future::Future,
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::settings::{TlsMode, TlsSettings, unfit};
use crate::Result;

/// Where Debian and Ubuntu, Fedora, and Alpine keep the authorities of the host.
const OF_THIS_HOST: [&str; 3] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Begins TLS on connections; clones share what it trusts.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

/// For one connection, to a host of this name.
pub(crate) struct Begin {
    connector: TlsConnector,
    host: ServerName<'static>,
}

pub(crate) struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl Tls {
    pub(super) fn new(settings: &TlsSettings) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mode = settings.mode();
        let trusted = match (&settings.authority, mode) {
            (_, TlsMode::Disable | TlsMode::Prefer) => Vec::new(),
            (Some(file), _) if file == Path::new("system") => of_this_host()?,
            (Some(file), _) => certificates(file)?,
            (None, TlsMode::Require) => Vec::new(),
            (None, TlsMode::VerifyCa | TlsMode::VerifyFull) => {
                return Err(unfit(
                    "to verify PostgreSQL's certificate, name the file of its authority (database.tls_authority, or sslrootcert in \
                     the URL), or `system` for those that this host trusts"
                        .to_owned(),
                ));
            }
        };
        let verifier = Verifier::new(provider.clone(), trusted, mode == TlsMode::VerifyFull)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unfit(format!("TLS to PostgreSQL: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match (&settings.certificate, &settings.private_key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| unfit(format!("read the key for PostgreSQL in {}: {error}", key.display())))?;
                let own = builder.with_client_auth_cert(chain, key);
                own.map_err(|error| unfit(format!("use the certificate for PostgreSQL in {}: {error}", certificate.display())))?
            }
            (None, None) => builder.with_no_client_auth(),
            _ => return Err(unfit("a certificate for PostgreSQL and its key are set together or not at all".to_owned())),
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unread = |error: String| unfit(format!("read the certificates for PostgreSQL in {}: {error}", file.display()));
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    match read {
        Ok(none) if none.is_empty() => Err(unread("there are none".to_owned())),
        Ok(read) => Ok(read),
        Err(error) => Err(unread(error.to_string())),
    }
}

fn of_this_host() -> Result<Vec<CertificateDer<'static>>> {
    let found = OF_THIS_HOST.iter().find_map(|file| certificates(Path::new(file)).ok());
    found.ok_or_else(|| unfit("this host has no file of authorities; name one in database.tls_authority".to_owned()))
}

/// Whom the server's certificate must come from, and for whom it must be.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// None: nobody vouches.
    authority: Option<Arc<WebPkiServerVerifier>>,
    trusted: Vec<CertificateDer<'static>>,
    by_name: bool,
}

impl Verifier {
    fn new(provider: Arc<CryptoProvider>, trusted: Vec<CertificateDer<'static>>, by_name: bool) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let authority = match roots.is_empty() {
            true if trusted.is_empty() => None,
            true => return Err(unfit("no certificate of PostgreSQL's authority can be used".to_owned())),
            false => {
                let built = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build();
                Some(built.map_err(|error| unfit(format!("trust PostgreSQL's authority: {error}")))?)
            }
        };
        Ok(Self { provider, authority, trusted, by_name })
    }

    /// A certificate that is itself among the trusted ones, as servers have that signed their own.
    fn is_pinned(&self, certificate: &CertificateDer<'_>) -> bool {
        let is_in_force = || X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.validity().is_valid());
        self.trusted.iter().any(|trusted| trusted == certificate) && is_in_force()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        if self.is_pinned(end_entity) {
            if self.by_name {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last, so all else is in order.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.by_name => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
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

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type TlsConnect = Begin;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Begin> {
        // Over a unix socket there is no name and no TLS.
        let name = if domain.is_empty() { "localhost" } else { domain };
        let host = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        Ok(Begin { connector: self.0.clone(), host })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Begin {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.host, stream).await.map(Encrypted) })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let (_, session) = self.0.get_ref();
        let certificate = session.peer_certificates().and_then(|chain| chain.first());
        certificate.and_then(end_point).map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// The hash of the server's certificate by the function that its signature uses, or by SHA-256 where that is too weak. Where
/// the signature has none of its own, no binding is defined.
fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Sha256::digest(certificate).to_vec()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Sha384::digest(certificate).to_vec()),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Sha512::digest(certificate).to_vec()),
        _ => None,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
