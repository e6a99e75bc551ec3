// SPDX-License-Identifier: Apache-2.0
//! The table of trusts.

use access::Allowed;
use store::{Actor, Row, Select, Tx, params};
use types::UserId;

use super::Trust;
use crate::{
    change,
    error::{Error, Result},
};

const COLUMNS: &str = "id, trustor_user_id, trustee_user_id, project_id, impersonation, expires_at, remaining_uses, \
                       redelegated_trust_id, redelegation_count, role_ids";

/// Whose trusts are listed.
pub enum Whose {
    Everybodys,
    Trustor(UserId),
    Trustee(UserId),
}

pub fn select(allowed: &Allowed<Whose>) -> Select {
    let select = Select::new("trusts", COLUMNS);
    match allowed.thing() {
        Whose::Everybodys => select,
        Whose::Trustor(user) => select.filter("trustor_user_id = ", user.as_str()),
        Whose::Trustee(user) => select.filter("trustee_user_id = ", user.as_str()),
    }
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Trust>> {
    select.rows(tx)?.iter().map(read).collect()
}

/// The trust, whoever asks: for logins, checks of tokens, and targets of policies.
pub fn find(tx: &mut Tx, id: &str) -> Result<Option<Trust>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM trusts WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()
}

/// `allowed` names the trustor, in whose name one may trust.
pub fn create(tx: &mut Tx, allowed: &Allowed<UserId>, actor: &Actor, trust: &Trust) -> Result<()> {
    if *allowed.thing() != trust.trustor {
        return Err(Error::Denied(allowed.to()));
    }
    let sql = "INSERT INTO trusts (id, trustor_user_id, trustee_user_id, project_id, impersonation, expires_at, remaining_uses, \
               redelegated_trust_id, redelegation_count, role_ids) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let row = params![
        &trust.id,
        &trust.trustor,
        &trust.trustee,
        trust.project.as_ref(),
        trust.impersonation,
        trust.expires_at,
        trust.remaining_uses,
        trust.redelegated_trust.as_ref(),
        trust.redelegation_count,
        serde_json::to_string(&trust.roles).unwrap_or_default(),
    ];
    tx.execute(sql, &row).map_err(|error| {
        if error.is_unique("trustor_user_id") {
            return Error::conflict("trust", "Duplicate entry");
        }
        error.into()
    })?;
    change::record(tx, actor, "trust", &trust.id, None, Some(&state(trust)))
}

/// What was passed on from it goes with it.
pub fn delete(tx: &mut Tx, allowed: &Allowed<Trust>, actor: &Actor) -> Result<()> {
    let trust = allowed.thing();
    let sql = format!(
        "WITH RECURSIVE doomed (id) AS (
             SELECT id FROM trusts WHERE id = $1
             UNION SELECT t.id FROM trusts t JOIN doomed ON t.redelegated_trust_id = doomed.id
         )
         SELECT {COLUMNS} FROM trusts WHERE id IN (SELECT id FROM doomed)"
    );
    let doomed: Vec<Trust> = tx.query(&sql, &params![&trust.id])?.iter().map(read).collect::<Result<_>>()?;
    tx.execute("DELETE FROM trusts WHERE id = $1", &params![&trust.id])?;
    for trust in &doomed {
        change::record(tx, actor, "trust", &trust.id, Some(&state(trust)), None)?;
    }
    Ok(())
}

/// Takes one of the trust's uses; false if none is left.
pub fn use_once(tx: &mut Tx, trust: &Trust) -> Result<bool> {
    if trust.remaining_uses.is_none() {
        return Ok(true);
    }
    let sql = "UPDATE trusts SET remaining_uses = remaining_uses - 1 WHERE id = $1 AND remaining_uses > 0";
    Ok(tx.execute(sql, &params![&trust.id])? > 0)
}

fn state(trust: &Trust) -> serde_json::Value {
    serde_json::json!({
        "id": trust.id, "trustor_user_id": trust.trustor, "trustee_user_id": trust.trustee, "project_id": trust.project,
        "impersonation": trust.impersonation, "role_ids": trust.roles, "redelegated_trust_id": trust.redelegated_trust,
    })
}

fn read(row: &Row) -> Result<Trust> {
    Ok(Trust {
        id: row.get(0)?,
        trustor: row.get(1)?,
        trustee: row.get(2)?,
        project: row.get(3)?,
        impersonation: row.get(4)?,
        expires_at: row.get(5)?,
        remaining_uses: row.get(6)?,
        redelegated_trust: row.get(7)?,
        redelegation_count: row.get(8)?,
        roles: row.json(9)?,
    })
}
