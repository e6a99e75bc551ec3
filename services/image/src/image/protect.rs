// SPDX-License-Identifier: Apache-2.0
//! Properties that the operator keeps for some roles: a licence key that tenants may read, not write.

use api::Fault;
use contracts::caller::Caller;

use super::Row;
use crate::{Error, Settings};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Create,
    Read,
    Update,
    Delete,
}

/// Refuses what the operator's rules do not let this caller do to this property. Without any rules there is no protection;
/// with some, a property that none of them covers is nobody's, as in Glance.
pub fn check_property(settings: &Settings, caller: &Caller, property: &str, deed: Deed) -> Result<(), Fault> {
    if may(settings, caller, property, deed) {
        return Ok(());
    }
    let word = match deed {
        Deed::Create => "create",
        Deed::Read => "read",
        Deed::Update => "change",
        Deed::Delete => "remove",
    };
    Err(Fault::forbidden(format!("The operator's rules do not let you {word} the property '{property}'.")))
}

/// The same for who is known by his roles alone.
pub fn check_created_by(settings: &Settings, roles: &[String], property: &str) -> Result<(), Error> {
    if allows(settings, roles.iter().map(String::as_str), property, Deed::Create) {
        return Ok(());
    }
    Err(Error::Forbidden(format!("The operator's rules do not let you create the property '{property}'.")))
}

/// The image without the properties that this caller may not read.
pub fn readable(settings: &Settings, caller: &Caller, mut image: Row) -> Row {
    if !settings.protections.is_empty() {
        image.properties.retain(|property, _| may(settings, caller, property, Deed::Read));
    }
    image
}

fn may(settings: &Settings, caller: &Caller, property: &str, deed: Deed) -> bool {
    allows(settings, caller.roles.iter().map(|role| role.name.as_str()), property, deed)
}

fn allows<'a>(settings: &Settings, own: impl Iterator<Item = &'a str> + Clone, property: &str, deed: Deed) -> bool {
    if settings.protections.is_empty() {
        return true;
    }
    let Some(rule) = settings.protections.iter().find(|rule| rule.covers(property)) else { return false };
    let roles = match deed {
        Deed::Create => &rule.create,
        Deed::Read => &rule.read,
        Deed::Update => &rule.update,
        Deed::Delete => &rule.delete,
    };
    let has = |role: &String| role == "@" || own.clone().any(|own| own.eq_ignore_ascii_case(role));
    roles.iter().any(has)
}
