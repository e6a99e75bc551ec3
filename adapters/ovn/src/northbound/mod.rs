// SPDX-License-Identifier: Apache-2.0
//! OVN_Northbound: the logical network, written level-triggered.
//!
//! The caller says what everything under a prefix of keys should be; one transaction makes it so, and none is sent when
//! it is so already. Rows that do not carry our key belong to somebody else and are never touched.

mod desired;
mod lead;
mod line;
mod plan;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use desired::{DesiredRow, GENERATION, KEY, Scope};
pub use table::Table;

use crate::ovsdb::{Client, Datum, Follower, Interest, Remote, Replica, Row, Select, Transaction, Watched};
use crate::{Error, Result};
use lead::Fence;
use line::Line;

const ATTEMPTS: u32 = 8;
const OVERTAKEN_PATIENCE: Duration = Duration::from_secs(1);

/// A connection to the northbound database.
#[derive(Clone, Debug)]
pub struct Northbound {
    client: Client,
    /// The generation of the lead that every write is bound to.
    lead: Option<u64>,
    /// Of those who write under this lead.
    line: Arc<Line>,
}

/// How many rows an [`Northbound::apply`] wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub inserted: usize,
    pub updated: usize,
    pub deleted: usize,
    /// Memberships that came or went.
    pub relinked: usize,
}

/// One of our rows, as found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedRow {
    pub key: String,
    pub table: Table,
    pub generation: u64,
}

/// The state of one of our switch ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortState {
    pub key: String,
    /// The `name`, which is what an interface's `iface-id` matches.
    pub name: String,
    /// Whether some chassis has plugged it. Ports of router, localnet and localport type never say so.
    pub up: bool,
}

impl Applied {
    /// Whether everything was already as desired.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl Northbound {
    /// Starts connecting. Several remotes are the members of one cluster.
    pub fn connect(remotes: Vec<Remote>) -> Self {
        let mut watched = Watched::new("OVN_Northbound").keyed_by(KEY).table("NB_Global").pointing(holds_members);
        for table in Table::ALL {
            watched = watched.table(table.name());
        }
        let client = Client::connect(remotes, watched);
        Self { client, lead: None, line: Arc::default() }
    }

    /// The same connection for the work of a lead: once the database has seen a later one, nothing is written and
    /// [`Error::Led`] tells why.
    ///
    /// Invariant: a lead that is over changes nothing in the database (test: `a_lead_that_is_over_writes_nothing`).
    #[must_use]
    pub fn led(&self, lead: u64) -> Self {
        Self { client: self.client.clone(), lead: Some(lead), line: Arc::default() }
    }

    /// The connection, to wait on its changes or to look at rows directly.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until the database is reached and known.
    pub async fn ready(&self, deadline: Instant) -> Result<()> {
        self.client.ready(deadline).await
    }

    /// Makes scopes as desired, all in one transaction, in which those of others may be, too: their rows are counted with ours.
    ///
    /// Invariant: while any row of a scope stands, the scope is never taken back to an older generation, whoever writes at
    /// the same time (test: `a_plan_that_was_overtaken_has_no_effect`). A scope that was emptied leaves no generation
    /// behind: a writer that is later still must be found by its owner through [`Self::owned`].
    pub async fn apply(&self, scopes: &[Scope]) -> Result<Applied> {
        self.line.apply(self, scopes.to_vec()).await
    }

    async fn apply_now(&self, scopes: &[Scope]) -> Result<Applied> {
        for _ in 0..ATTEMPTS {
            let mut changes = self.client.changes();
            changes.borrow_and_update();
            let plan = self.client.read_current(|replica| {
                let mut plan = plan::plan(replica, scopes)?;
                self.fence(replica, &mut plan.transaction)?;
                Ok(plan)
            })??;
            if plan.transaction.is_empty() {
                self.confirm(scopes);
                return Ok(plan.applied);
            }
            match self.client.transact(&plan.transaction).await {
                Ok(_) => {
                    self.confirm(scopes);
                    return Ok(plan.applied);
                }
                Err(error) if error.is_lost_race() => {
                    // What overtook us has usually arrived already. If it never does, trying again is right anyway.
                    tokio::time::timeout(OVERTAKEN_PATIENCE, changes.changed()).await.ok();
                }
                Err(error) => return Err(error),
            }
        }
        let prefixes: Vec<&str> = scopes.iter().map(|scope| scope.prefix.as_str()).collect();
        Err(Error::Contended { scope: prefixes.join(", "), attempts: ATTEMPTS })
    }

    /// Hears which scopes of ours were changed by somebody else: the first two parts of their keys. What [`Self::apply`] did is no
    /// news unless somebody changed it meanwhile.
    pub fn follow_drift(&self) -> Follower {
        let in_column = |table: &str, column: Option<&str>| {
            column.is_none_or(|column| Table::from_name(table).is_none_or(|table| !table.is_northds(column)))
        };
        self.client.follow(Interest { in_column, name: scope_of, doubts: true })
    }

    /// Hears which of our switch ports came, went, or were plugged or unplugged: their names in our keys.
    pub fn follow_ports(&self) -> Follower {
        let in_column = |table: &str, column: Option<&str>| {
            table == Table::LogicalSwitchPort.name() && column.is_none_or(|column| column == "up")
        };
        self.client.follow(Interest { in_column, name: scope_of, doubts: false })
    }

    /// The scopes after this one in the order of their prefixes, which end with a stroke: at most so many.
    pub fn prefixes_after(&self, prefix: &str, most: usize) -> Result<Vec<String>> {
        self.client.read_current(|replica| {
            let mut prefixes: Vec<String> = Vec::new();
            let mut after = end_of(prefix);
            while prefixes.len() < most
                && let Some(key) = replica.key_after(&after)
            {
                match scope_of(key) {
                    Some(scope) => {
                        let prefix = format!("{scope}/");
                        after = end_of(&prefix);
                        prefixes.push(prefix);
                    }
                    None => after = key.to_owned(),
                }
            }
            prefixes
        })
    }

    /// Has those who doubt it know that these scopes are as desired now, or that they are not.
    fn confirm(&self, scopes: &[Scope]) {
        let names = scopes.iter().filter_map(|scope| scope.prefix.strip_suffix('/'));
        self.client.confirm(names, |replica| plan::plan(replica, scopes).is_ok_and(|plan| plan.applied.is_nothing()));
    }

    /// What [`Self::apply`] would do: anything but nothing is drift.
    pub fn drift(&self, scopes: &[Scope]) -> Result<Applied> {
        let plan = self.client.read_current(|replica| plan::plan(replica, scopes))??;
        Ok(plan.applied)
    }

    /// All rows that are ours, in the order of their keys.
    pub fn owned(&self) -> Result<Vec<OwnedRow>> {
        self.owned_under("")
    }

    /// The rows that are ours under a prefix of keys.
    pub fn owned_under(&self, prefix: &str) -> Result<Vec<OwnedRow>> {
        self.client.read_current(|replica| {
            let rows = replica.keyed_under(prefix).filter_map(|(key, found)| {
                Some(OwnedRow {
                    key: key.to_owned(),
                    table: Table::from_name(&found.table)?,
                    generation: plan::generation(replica.row(&found.table, found.uuid)?),
                })
            });
            rows.collect()
        })
    }

    /// Whether a port group of ours of this key has ports.
    pub fn has_members(&self, key: &str) -> bool {
        self.client.read(|replica| {
            let mut groups = replica.keyed(key).filter_map(|found| replica.row(&found.table, found.uuid));
            groups.any(|row| !row.get("ports").is_empty())
        })
    }

    /// The states of our switch ports.
    pub fn ports(&self) -> Result<Vec<PortState>> {
        self.client.read_current(|replica| {
            let ports = replica.rows(Table::LogicalSwitchPort.name());
            ports.filter_map(|(_, row)| port_state(row)).collect()
        })
    }

    /// The states of the switch ports of these scopes.
    pub fn ports_of<'a>(&self, scopes: impl Iterator<Item = &'a str>) -> Result<Vec<PortState>> {
        let table = Table::LogicalSwitchPort.name();
        self.client.read_current(|replica| {
            let prefixes = scopes.map(|scope| format!("{scope}/"));
            let found = prefixes.flat_map(|prefix| {
                let keyed = replica.keyed_under(&prefix).filter(|(_, found)| *found.table == *table);
                keyed.filter_map(|(_, found)| port_state(replica.row(table, found.uuid)?)).collect::<Vec<_>>()
            });
            found.collect()
        })
    }

    /// Waits until some chassis has plugged the port of this name, or the reverse.
    pub async fn wait_port(&self, name: &str, up: bool, deadline: Instant) -> Result<()> {
        let what = format!("logical port {name} to be {}", if up { "up" } else { "down" });
        let table = Table::LogicalSwitchPort.name();
        self.client
            .wait_until(what, deadline, |replica| {
                let (_, port) = replica.named(table, name)?;
                (port.flag("up") == Some(up)).then_some(())
            })
            .await
    }

    /// Makes sure of the one row of settings and of these options in it; other options are left alone.
    pub async fn ensure_options(&self, options: &BTreeMap<String, String>) -> Result<()> {
        self.write(|replica| {
            let mut transaction = Transaction::new();
            match replica.singleton("NB_Global") {
                None if self.lead.is_none() => {
                    transaction.require_none("NB_Global", Select::all());
                    transaction.insert("NB_Global", &Row::new().with("options", Datum::map(options)));
                }
                // The fence makes the row.
                None => transaction.put("NB_Global", Select::all(), "options", &Datum::map(options)),
                Some((uuid, row)) => {
                    let current = row.map("options");
                    let differing = options.iter().filter(|(key, value)| current.get(*key) != Some(value));
                    let differing: BTreeMap<&String, &String> = differing.collect();
                    if !differing.is_empty() {
                        transaction.put("NB_Global", Select::row(uuid), "options", &Datum::map(differing));
                    }
                }
            }
            transaction
        })
        .await
    }

    /// Waits until ovn-northd has translated everything written so far into the southbound database.
    pub async fn wait_southbound(&self, deadline: Instant) -> Result<()> {
        self.wait_sequence("ovn-northd to catch up", "sb_cfg", deadline).await
    }

    /// Waits until every chassis has put everything written so far into effect. One dead chassis makes this wait in vain.
    pub async fn wait_hypervisors(&self, deadline: Instant) -> Result<()> {
        self.wait_sequence("all chassis to catch up", "hv_cfg", deadline).await
    }

    /// Asks every chassis to confirm what has been written so far. The answers show in the southbound database, as
    /// [`Chassis::behind`](crate::southbound::Chassis::behind).
    pub async fn ask_hypervisors(&self) -> Result<()> {
        self.write(|_| {
            let mut transaction = Transaction::new();
            transaction.increment("NB_Global", Select::all(), "nb_cfg");
            transaction
        })
        .await
    }

    /// Sends a small transaction, composed anew if another writer was faster.
    async fn write(&self, compose: impl Fn(&Replica) -> Transaction) -> Result<()> {
        let mut left = ATTEMPTS;
        loop {
            let mut changes = self.client.changes();
            changes.borrow_and_update();
            let transaction = self.client.read_current(|replica| {
                let mut transaction = compose(replica);
                self.fence(replica, &mut transaction)?;
                Ok::<_, Error>(transaction)
            })??;
            if transaction.is_empty() {
                return Ok(());
            }
            left -= 1;
            match self.client.transact(&transaction).await {
                Err(error) if error.is_lost_race() && left > 0 => {
                    tokio::time::timeout(OVERTAKEN_PATIENCE, changes.changed()).await.ok();
                }
                outcome => return outcome.map(drop),
            }
        }
    }

    /// Binds a transaction to our lead, if we write for one. What would do nothing stays nothing, unless the database does
    /// not know the lead yet.
    fn fence(&self, replica: &Replica, transaction: &mut Transaction) -> Result<()> {
        let Some(lead) = self.lead else { return Ok(()) };
        let fence = Fence::of(replica, lead)?;
        if fence.is_news || !transaction.is_empty() {
            transaction.guarded_by(fence.guard);
        }
        Ok(())
    }

    async fn wait_sequence(&self, what: &str, column: &str, deadline: Instant) -> Result<()> {
        self.ask_hypervisors().await?;
        let asked = self.client.read(|replica| replica.singleton("NB_Global")?.1.integer("nb_cfg"));
        self.client
            .wait_until(what, deadline, |replica| {
                let (_, row) = replica.singleton("NB_Global")?;
                (row.integer(column) >= asked).then_some(())
            })
            .await
    }
}

/// The thing that a key is of: `port/ID` of `port/ID/lsp`.
fn scope_of(key: &str) -> Option<&str> {
    let (second, _) = key.match_indices('/').nth(1)?;
    Some(&key[..second])
}

/// What comes after all keys with this prefix, which ends with a stroke or is empty: `0` is the next character.
fn end_of(prefix: &str) -> String {
    prefix.strip_suffix('/').map_or_else(String::new, |scope| format!("{scope}0"))
}

fn holds_members(table: &str, column: &str) -> bool {
    Table::from_name(table).is_some_and(|table| table.holds_members(column))
}

fn port_state(row: &Row) -> Option<PortState> {
    Some(PortState {
        key: row.entry("external_ids", KEY)?.to_owned(),
        name: row.text("name").to_owned(),
        up: row.flag("up").unwrap_or_default(),
    })
}
