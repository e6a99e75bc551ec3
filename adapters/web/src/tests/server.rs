// SPDX-License-Identifier: Apache-2.0
//! A server that counts its connections and says what it was told to say.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

pub struct Server {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers each connection's first request with what `say` makes of its head, then hangs up, or waits if the answer
    /// ends in `…`.
    pub async fn start(ip: &str, say: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::serve(ip, None, say).await
    }

    /// The same over TLS, with a certificate for `name`; answers the roots that trust it.
    pub async fn start_tls(name: &str, say: impl Fn(&str) -> String + Send + Sync + 'static) -> (Self, rustls::RootCertStore) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
        (Self::serve("127.0.0.1", Some(TlsAcceptor::from(Arc::new(config.unwrap()))), say).await, roots)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    async fn serve(ip: &str, tls: Option<TlsAcceptor>, say: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), 0)).await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), connections: Arc::default() };
        let (count, say) = (server.connections.clone(), Arc::new(say));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (say, tls) = (say.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, &*say).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, &*say).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, say: &(impl Fn(&str) -> String + Send + Sync)) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let said = say(std::str::from_utf8(&head).unwrap());
    let _ = stream.write_all(said.trim_end_matches('…').as_bytes()).await;
    let _ = stream.flush().await;
    if said.ends_with('…') {
        std::future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
}

pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}
