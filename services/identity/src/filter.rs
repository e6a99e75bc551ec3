// SPDX-License-Identifier: Apache-2.0
//! The filters that Keystone's lists share.

use api::{Cx, Fault};
use store::Select;

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

/// Equality with text: the name in the query, and the condition.
pub fn by_text(cx: &Cx, select: Select, filters: &[(&str, &'static str)]) -> Select {
    filters.iter().fold(select, |select, (name, condition)| match cx.query().get(name) {
        Some(value) => select.filter(condition, value),
        None => select,
    })
}
