// SPDX-License-Identifier: Apache-2.0
//! Lets hosts reach the southbound database, each in the role of its own chassis.
//!
//! A host that fell to an attacker has its key. So OVN's own roles hold on every address that hosts use: the name in a
//! host's certificate is the name of its chassis, and it changes the rows of that chassis and of no other. A role belongs
//! to a row of the table `Connection`, not to an argument of the daemon, so the addresses stand there. ovn-northd keeps what
//! the role permits. On the socket of its own host the database is open to all of root's.
//!
//! What OVN 23.03 to 24.03 leave open to every chassis in this role, since ports move between them: which chassis a
//! `Port_Binding` names, and the learned rows (`MAC_Binding`, `FDB`, `IGMP_Group`, `Controller_Event`, the status of a
//! `Service_Monitor`). A port that is bound where it does not belong is found by the network room's audit.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Listen;
use crate::ovsdb::{Atom, Client, Datum, Remote, Replica, Row, Select, Transaction, Watched};
use crate::{Error, Result};

/// What ovn-northd calls the role of a chassis.
const ROLE: &str = "ovn-controller";
const ATTEMPTS: u32 = 8;
const OVERTAKEN_PATIENCE: Duration = Duration::from_secs(1);

/// Has the southbound database listen at these addresses and no others.
///
/// Invariant: a host's certificate changes nothing of another host's chassis (test:
/// `a_chassis_changes_its_own_rows_and_no_others`).
pub async fn admit_hosts(southbound: Remote, listen: &[Listen], deadline: Instant) -> Result<()> {
    let watched =
        Watched::new("OVN_Southbound").columns("SB_Global", &["connections"]).columns("Connection", &["target", "role"]);
    let client = Client::connect(vec![southbound], watched);
    client.ready(deadline).await?;
    for _ in 0..ATTEMPTS {
        let mut changes = client.changes();
        changes.borrow_and_update();
        let transaction = client.read_current(|replica| plan(replica, listen))?;
        if transaction.is_empty() {
            return Ok(());
        }
        match client.transact(&transaction).await {
            Ok(_) => return Ok(()),
            // ovn-northd may have made the one row of settings meanwhile.
            Err(error) if error.is_lost_race() => {
                tokio::time::timeout(OVERTAKEN_PATIENCE, changes.changed()).await.ok();
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::Contended { scope: "the addresses of the southbound database".to_owned(), attempts: ATTEMPTS })
}

fn plan(replica: &Replica, listen: &[Listen]) -> Transaction {
    let mut transaction = Transaction::new();
    let wanted: BTreeSet<String> = listen.iter().map(Listen::target).collect();
    let found = replica.rows("Connection").map(|(_, row)| (row.text("target"), row.text("role")));
    if found.collect::<BTreeSet<_>>() == wanted.iter().map(|target| (target.as_str(), ROLE)).collect() {
        return transaction;
    }
    // The database drops those that nothing points to any more.
    let rows: Vec<Atom> = wanted
        .into_iter()
        .map(|target| transaction.insert("Connection", &Row::new().with("target", target).with("role", ROLE)))
        .collect();
    let connections = Datum::set(rows);
    match replica.singleton("SB_Global") {
        Some((uuid, _)) => transaction.update("SB_Global", Select::row(uuid), &Row::new().with("connections", connections)),
        None => {
            transaction.insert("SB_Global", &Row::new().with("connections", connections));
            let mut guard = Transaction::new();
            guard.require_none("SB_Global", Select::all());
            transaction.guarded_by(guard);
        }
    }
    transaction
}
