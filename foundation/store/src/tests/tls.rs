// SPDX-License-Identifier: Apache-2.0
//! TLS to a real PostgreSQL, in all the ways of `sslmode`.

use std::net::TcpListener;
use std::path::PathBuf;

use database::{Listening, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384};
use tempfile::TempDir;

use crate::{Error, PostgresSettings, Store, TlsMode, TlsSettings};

/// Over TLS alone: with a password, or with a certificate.
const ACCESS: &str = "hostssl all by_certificate 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 scram-sha-256";

struct Scene {
    server: Server,
    folder: TempDir,
}

impl Scene {
    /// A server for `localhost`, with the files that a client needs, and those of an authority that has nothing to do with it.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, pem: &str| std::fs::write(folder.path().join(name), pem).unwrap();
        let (authority, other) = (authority(), authority());
        write("authority.pem", &authority.pem());
        write("other.pem", &other.pem());
        let of = |params: CertificateParams, key: &KeyPair| params.signed_by(key, &authority).unwrap().pem();
        // Not the usual hash: channel binding goes by it.
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let certificate = of(CertificateParams::new(vec!["localhost".to_owned()]).unwrap(), &key);
        let client_key = KeyPair::generate().unwrap();
        let mut client = CertificateParams::new(vec![]).unwrap();
        client.distinguished_name.push(rcgen::DnType::CommonName, "by_certificate");
        write("client.pem", &of(client, &client_key));
        write("client.key", &client_key.serialize_pem());
        write("server.pem", &certificate);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let pem = [certificate.as_str(), &key.serialize_pem(), &authority.pem()];
        let server = Server::start_listening(&Listening { port, tls: Some(pem), access: ACCESS });
        let admin = Store::open(&server.url()).await.unwrap();
        let roles = "ALTER ROLE ferrostack PASSWORD 'open'; CREATE ROLE by_certificate LOGIN";
        admin.write(move |tx| tx.script(roles)).await.unwrap();
        Self { server, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self, host: &str, query: &str) -> String {
        self.server.url_by(host).replace("ferrostack@", "ferrostack:open@") + query
    }

    async fn tries(&self, host: &str, mode: TlsMode, authority: Option<&str>) -> Result<bool, Error> {
        let tls = TlsSettings { mode: Some(mode), authority: authority.map(|name| self.file(name)), ..TlsSettings::default() };
        is_encrypted(&self.url(host, ""), tls).await
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()).unwrap()
}

/// What the server says of the connection.
async fn is_encrypted(url: &str, tls: TlsSettings) -> Result<bool, Error> {
    let store = Store::open_with(url, &PostgresSettings { tls, ..PostgresSettings::default() }).await?;
    let sql = "SELECT CASE WHEN ssl THEN 1 ELSE 0 END::bigint FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    store.read(move |tx| tx.query_one(sql, &[])?.get(0)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_believed_as_far_as_the_mode_asks() {
    let scene = Scene::start().await;
    for (host, mode, authority, is_believed) in [
        ("localhost", TlsMode::Prefer, None, true),
        ("127.0.0.1", TlsMode::Require, None, true),
        ("127.0.0.1", TlsMode::Require, Some("authority.pem"), true),
        ("localhost", TlsMode::Require, Some("other.pem"), false),
        ("127.0.0.1", TlsMode::VerifyCa, Some("authority.pem"), true),
        ("localhost", TlsMode::VerifyCa, Some("other.pem"), false),
        ("localhost", TlsMode::VerifyFull, Some("authority.pem"), true),
        ("127.0.0.1", TlsMode::VerifyFull, Some("authority.pem"), false),
        ("localhost", TlsMode::VerifyFull, Some("other.pem"), false),
        // The certificate itself is named.
        ("localhost", TlsMode::VerifyFull, Some("server.pem"), true),
        ("127.0.0.1", TlsMode::VerifyFull, Some("server.pem"), false),
        // The server takes nobody who does not encrypt.
        ("localhost", TlsMode::Disable, None, false),
    ] {
        match scene.tries(host, mode, authority).await {
            Ok(encrypted) => assert!(is_believed && encrypted, "{host} {mode:?} {authority:?}"),
            Err(error) => {
                assert!(!is_believed && matches!(error, Error::Unreachable { .. }), "{host} {mode:?} {authority:?}: {error:?}")
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_asks_for_tls_in_the_words_of_libpq() {
    let scene = Scene::start().await;
    let file = |name: &str| scene.file(name).display().to_string();
    let full = format!("?sslmode=verify-full&sslrootcert={}", file("authority.pem"));
    assert!(is_encrypted(&scene.url("localhost", &full), TlsSettings::default()).await.unwrap());
    let bound = format!("{full}&channel_binding=require");
    assert!(is_encrypted(&scene.url("localhost", &bound), TlsSettings::default()).await.unwrap());
    let other = full.replace("authority.pem", "other.pem");
    is_encrypted(&scene.url("localhost", &other), TlsSettings::default()).await.unwrap_err();
    let own = format!("{full}&sslcert={}&sslkey={}", file("client.pem"), file("client.key"));
    let by_certificate = scene.url("localhost", &own).replace("ferrostack:open@", "by_certificate@");
    assert!(is_encrypted(&by_certificate, TlsSettings::default()).await.unwrap());
    is_encrypted(
        &scene.url("localhost", "?sslmode=require").replace("ferrostack:open@", "by_certificate@"),
        TlsSettings::default(),
    )
    .await
    .unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lead_and_the_news_of_others_come_over_tls_too() {
    let scene = Scene::start().await;
    let tls = TlsSettings { authority: Some(scene.file("authority.pem")), ..TlsSettings::default() };
    let settings = PostgresSettings { tls, ..PostgresSettings::default() };
    let store = Store::open_with(&scene.url("localhost", ""), &settings).await.unwrap();
    store.migrate(&[]).await.unwrap();
    let me = crate::lead::Controller { name: "a:1".to_owned(), addresses: vec!["a:1".to_owned()] };
    let lead = store.take_lead(&me).await.unwrap();
    assert_eq!(lead.generation(), 1);
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE application_name = 'ferrostack' AND client_addr IS NOT NULL AND NOT ssl";
    let open: i64 = store.read(move |tx| tx.query_one(sql, &[])?.get(0)).await.unwrap();
    assert_eq!(open, 0, "a connection is not encrypted");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_in_a_sentence() {
    let nowhere = "postgres://me@localhost/cloud";
    for (query, says) in [
        ("?sslmode=perhaps", "sslmode is disable, prefer, require, verify-ca or verify-full"),
        ("?sslmode=verify-full", "name the file of its authority"),
        ("?sslmode=verify-full&sslrootcert=/no/such/file", "/no/such/file"),
        ("?sslcert=/no/such/file", "set together or not at all"),
    ] {
        let error = Store::open(&format!("{nowhere}{query}")).await.unwrap_err().to_string();
        assert!(error.contains(says), "{query}: {error}");
    }
}
