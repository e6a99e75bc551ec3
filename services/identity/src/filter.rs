// SPDX-License-Identifier: Apache-2.0
//! The filters that Keystone's lists share: `?enabled`, `?name=…`, and `?name__contains=…` with its kin; and the domain of
//! a token.

use access::{Allowed, Scope};
use api::{Cx, Fault};
use contracts::caller::TokenScope;
use store::{Select, Value};
use types::DomainId;

/// The proof for a list. Asked for with the token of a domain it is of that domain, also for whom could see the things of
/// others one by one.
pub fn within_domain_of_token(cx: &Cx) -> Result<Allowed<Scope>, Fault> {
    let allowed = cx.allowed()?;
    Ok(match domain_of_token(cx)? {
        Some(domain) => allowed.at_most_domain(domain),
        None => allowed.clone(),
    })
}

/// The domain that the token is for, if it is for one.
pub fn domain_of_token(cx: &Cx) -> Result<Option<&DomainId>, Fault> {
    Ok(match &cx.caller()?.scope {
        TokenScope::Domain(domain) => Some(&domain.id),
        TokenScope::Project(_) | TokenScope::System | TokenScope::Unscoped => None,
    })
}

pub fn by_name_and_enabled(cx: &Cx, select: Select) -> Result<Select, Fault> {
    by_enabled(cx, by_text(cx, select, &[("name", "name = ")]))
}

/// `?enabled` without a value means true.
pub fn by_enabled(cx: &Cx, select: Select) -> Result<Select, Fault> {
    let wanted = match cx.query().get("enabled") {
        Some("") => Some(true),
        _ => cx.query().flag("enabled")?,
    };
    Ok(match wanted {
        Some(enabled) => select.filter("enabled = ", enabled),
        None => select,
    })
}

/// Equality with text: the name in the query, and the condition. Where there is a name, also parts of it.
pub fn by_text(cx: &Cx, select: Select, filters: &[(&str, &'static str)]) -> Select {
    let select = filters.iter().fold(select, |select, (name, condition)| match cx.query().get(name) {
        Some(value) => select.filter(condition, value),
        None => select,
    });
    if filters.iter().any(|(name, _)| *name == "name") { by_parts_of_name(cx, select) } else { select }
}

/// `name__contains`, `name__startswith`, `name__endswith`; with an `i` before the verb capitals do not matter. Written
/// without LIKE, for which capitals matter on one engine and not on the other.
fn by_parts_of_name(cx: &Cx, select: Select) -> Select {
    cx.query().pairs().fold(select, |select, (key, value)| {
        let Some(comparator) = key.strip_prefix("name__") else { return select };
        let lower = value.to_lowercase();
        let (condition, value) = match comparator {
            "contains" => ("replace(name, CAST(? AS TEXT), '') <> name", value),
            "icontains" => ("replace(lower(name), CAST(? AS TEXT), '') <> lower(name)", lower.as_str()),
            "startswith" => ("substr(name, 1, length(CAST(? AS TEXT))) = ?", value),
            "istartswith" => ("substr(lower(name), 1, length(CAST(? AS TEXT))) = ?", lower.as_str()),
            "endswith" => (
                "length(name) >= length(CAST(? AS TEXT)) AND substr(name, length(name) - length(CAST(? AS TEXT)) + 1) = ?",
                value,
            ),
            "iendswith" => (
                "length(name) >= length(CAST(? AS TEXT)) AND substr(lower(name), length(name) - length(CAST(? AS TEXT)) + 1) = ?",
                lower.as_str(),
            ),
            // Keystone, too, passes over what it does not know.
            _ => return select,
        };
        // Every name contains nothing at all.
        if value.is_empty() {
            return select;
        }
        select.condition_with(condition, vec![Value::from(value); condition.matches('?').count()])
    })
}
