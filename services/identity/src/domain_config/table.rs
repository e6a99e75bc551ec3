// SPDX-License-Identifier: Apache-2.0
//! The table of what is configured for domains. What is secret lies in it sealed, and is read by nobody.

use access::{Allowed, Scope, keys::KeyRing};
use serde_json::Value;
use store::{Actor, Tx, params};
use types::{DomainId, Timestamp};

use super::{
    Config, Part,
    options::{self, Kind},
};
use crate::{
    change,
    error::{Error, Result},
};

/// What is set of this part, without its secrets.
pub fn get(tx: &mut Tx, _: &Allowed<Scope>, domain: &DomainId, part: &Part) -> Result<Config> {
    let config = shown(tx, domain, part)?;
    if config.is_empty() { Err(not_found(domain, part)) } else { Ok(config) }
}

/// Sets these options and no others; answers what is now set, and whether anything was before.
pub fn replace(
    tx: &mut Tx,
    ring: &KeyRing,
    _: &Allowed<Scope>,
    actor: &Actor,
    domain: &DomainId,
    config: &Config,
) -> Result<(Config, bool)> {
    let was_there = tx.execute("DELETE FROM domain_config WHERE domain_id = $1", &params![domain])? > 0;
    put(tx, ring, domain, config)?;
    let now = shown(tx, domain, &Part::Whole)?;
    change::record(tx, actor, "domain_config", domain.as_str(), None, Some(&now))?;
    Ok((now, was_there))
}

/// Sets these options beside the others. A part that the request names must be there before.
pub fn update(
    tx: &mut Tx,
    ring: &KeyRing,
    _: &Allowed<Scope>,
    actor: &Actor,
    (domain, part): (&DomainId, &Part),
    config: &Config,
) -> Result<Config> {
    if *part != Part::Whole {
        refuse_absent(tx, domain, part)?;
    }
    let before = shown(tx, domain, &Part::Whole)?;
    put(tx, ring, domain, config)?;
    let now = shown(tx, domain, &Part::Whole)?;
    change::record(tx, actor, "domain_config", domain.as_str(), Some(&before), Some(&now))?;
    Ok(now)
}

pub fn delete(tx: &mut Tx, _: &Allowed<Scope>, actor: &Actor, domain: &DomainId, part: &Part) -> Result<()> {
    if *part != Part::Whole {
        refuse_absent(tx, domain, part)?;
    }
    let before = shown(tx, domain, part)?;
    let (condition, names) = condition(part);
    let mut values = params![domain].to_vec();
    values.extend(names);
    tx.execute(&format!("DELETE FROM domain_config WHERE domain_id = $1{condition}"), &values)?;
    change::record(tx, actor, "domain_config", domain.as_str(), Some(&before), None)
}

/// Seals under the primary key whatever an older one sealed.
pub fn seal_anew(tx: &mut Tx, ring: &KeyRing) -> Result<()> {
    let primary = ring.primary_hash();
    let sql = "SELECT domain_id, group_name, option_name, value FROM domain_config WHERE key_hash NOT IN ('', $1)";
    for row in tx.query(sql, &params![&primary])? {
        let opened = ring.open_kept(row.get(3)?).map_err(|_| Error::Sealed)?;
        let sealed = ring.seal(&opened.message, Timestamp::now())?;
        let sql = "UPDATE domain_config SET value = $4, key_hash = $5 \
                   WHERE domain_id = $1 AND group_name = $2 AND option_name = $3";
        let (domain, group, option): (&str, &str, &str) = (row.get(0)?, row.get(1)?, row.get(2)?);
        tx.execute(sql, &params![domain, group, option, sealed, &primary])?;
    }
    Ok(())
}

fn put(tx: &mut Tx, ring: &KeyRing, domain: &DomainId, config: &Config) -> Result<()> {
    let sql = "INSERT INTO domain_config (domain_id, group_name, option_name, value, key_hash) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (domain_id, group_name, option_name) \
               DO UPDATE SET value = excluded.value, key_hash = excluded.key_hash";
    for (group, own) in config {
        for (option, value) in own {
            let text = value.to_string();
            let (kept, key) = match options::find(group, option)?.kind {
                Kind::Shown => (text, String::new()),
                Kind::Secret => (ring.seal(text.as_bytes(), Timestamp::now())?, ring.primary_hash()),
            };
            tx.execute(sql, &params![domain, group, option, kept, key])?;
        }
    }
    Ok(())
}

fn shown(tx: &mut Tx, domain: &DomainId, part: &Part) -> Result<Config> {
    let (condition, names) = condition(part);
    let sql = format!(
        "SELECT group_name, option_name, value FROM domain_config WHERE domain_id = $1 AND key_hash = ''{condition} \
         ORDER BY group_name, option_name"
    );
    let mut values = params![domain].to_vec();
    values.extend(names);
    let mut config = Config::new();
    for row in tx.query(&sql, &values)? {
        config.entry(row.get(0)?).or_default().insert(row.get(1)?, row.json::<Value>(2)?);
    }
    Ok(config)
}

fn refuse_absent(tx: &mut Tx, domain: &DomainId, part: &Part) -> Result<()> {
    let (condition, names) = condition(part);
    let mut values = params![domain].to_vec();
    values.extend(names);
    let sql = format!("SELECT 1 FROM domain_config WHERE domain_id = $1{condition} LIMIT 1");
    tx.query_opt(&sql, &values)?.ok_or_else(|| not_found(domain, part)).map(drop)
}

fn condition(part: &Part) -> (&'static str, Vec<store::Value>) {
    match part {
        Part::Whole => ("", vec![]),
        Part::Group(group) => (" AND group_name = $2", params![group].to_vec()),
        Part::Option(group, option) => (" AND group_name = $2 AND option_name = $3", params![group, option].to_vec()),
    }
}

fn not_found(domain: &DomainId, part: &Part) -> Error {
    Error::not_found("domain configuration", format!("{part} of domain {domain}"))
}
