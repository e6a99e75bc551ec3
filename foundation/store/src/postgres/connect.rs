// SPDX-License-Identifier: Apache-2.0
//! How a connection to PostgreSQL is made: with TLS as it was asked for, with a deadline, and so that a server that has gone
//! without a word is noticed in seconds. (By itself the kernel would wait a quarter of an hour for an acknowledgement, and two
//! hours before it asks on an idle connection.)

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Config, Connection, Socket,
    config::{Host, SslMode},
};

use super::{
    settings::{PostgresSettings, TlsMode, unfit},
    tls::{Encrypted, Tls},
};
use crate::session::postgres::{Silent, unreachable_because};
use crate::{Error, Result};

/// How often an idle connection is asked, and how many answers may be missing.
const PROBES: u32 = 3;

/// Makes connections; clones share what they need for it.
#[derive(Clone)]
pub(crate) struct Connect {
    config: Arc<Config>,
    tls: Tls,
    settings: Arc<PostgresSettings>,
}

impl Connect {
    pub(crate) fn new(url: &str, settings: &PostgresSettings) -> Result<Self> {
        let (tls, url) = settings.tls.take_from(url)?;
        let mut config: Config = url.parse().map_err(|_| Error::Url { url: "postgres:…".to_owned() })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(settings.connect);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(settings.silence);
        }
        if config.get_keepalives_interval().is_none() {
            let pause = (settings.silence / PROBES).max(Duration::from_secs(1));
            config.keepalives_idle(settings.silence).keepalives_interval(pause).keepalives_retries(PROBES);
        }
        config.application_name("ferrostack");
        config.ssl_mode(match tls.mode() {
            // What is said over a unix socket does not leave the host.
            _ if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) => SslMode::Disable,
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
        if settings.connections == 0 {
            return Err(unfit("database.connections is one at least".to_owned()));
        }
        Ok(Self { config: Arc::new(config), tls: Tls::new(&tls)?, settings: Arc::new(settings.clone()) })
    }

    pub(crate) fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// A connection that is ready for statements, and what drives it.
    pub(crate) async fn open(&self) -> Result<(Client, Connection<Socket, Encrypted<Socket>>)> {
        let within = self.settings.connect;
        let made = timeout(within, self.config.connect(self.tls.clone())).await;
        made.map_err(|_| unreachable_because(Silent(within)))?.map_err(unreachable_because)
    }

    /// What each connection is told first. Durable means durable, even where the server's default is to acknowledge before the
    /// disk has it. A statement is cut off there, too, so that it does not go on for nobody; and a controller that hangs inside
    /// a transaction does not hold its locks for longer than others can wait for the lead.
    pub(crate) fn first_words(&self) -> String {
        format!(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
             SET statement_timeout = {}; SET idle_in_transaction_session_timeout = '10s'",
            self.settings.statement.as_millis()
        )
    }
}

/// For the pool, which has a deadline of its own around it.
impl deadpool_postgres::Connect for Connect {
    fn connect(
        &self,
        _: &Config,
    ) -> std::pin::Pin<Box<dyn Future<Output = std::result::Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + '_>>
    {
        Box::pin(async move {
            let (client, connection) = self.config.connect(self.tls.clone()).await?;
            let driver = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::warn!(%error, "a connection to PostgreSQL was lost");
                }
            });
            client.batch_execute(&self.first_words()).await.inspect_err(|_| driver.abort())?;
            Ok((client, driver))
        })
    }
}
