// SPDX-License-Identifier: Apache-2.0
//! Query strings of lists: whose, in which order, which page.

use access::{Allowed, Scope};
use api::{Cx, Fault, Paging, PagingHabits, Sort};
use store::{Direction, Select};

use crate::input::Read;

/// A page holds at most so much, whoever asks.
pub(crate) const MOST: usize = 1000;
pub(crate) const HABITS: PagingHabits =
    PagingHabits { max: MOST, default: Some(MOST), default_sort: &[("created_at", Sort::Descending)] };

/// What a list is asked for, beside its filters.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub paging: Paging,
    pub offset: usize,
}

impl Page {
    pub(crate) fn read(cx: &Cx) -> Read<Self> {
        let paging = Paging::read(cx.query(), &HABITS)?;
        let offset = match cx.query().get("offset") {
            None => 0,
            Some(text) => {
                let offset = text.parse::<u32>().ok().filter(|offset| *offset <= i32::MAX as u32);
                let refused = || Fault::bad_request(format!("'offset' is a whole number of at most {}, not '{text}'.", i32::MAX));
                offset.ok_or_else(refused)? as usize
            }
        };
        if offset > MOST * 10 {
            let sentence = format!("A list is skipped {} rows at most; go through it by 'marker' instead.", MOST * 10);
            return Err(Fault::bad_request(sentence));
        }
        Ok(Self { paging, offset })
    }

    /// The list in this order, from the marker on, with what the offset skips before it.
    pub(crate) fn of(
        &self,
        select: Select,
        column: impl Fn(&str) -> Option<&'static str>,
        nullable: &[&'static str],
    ) -> Read<Select> {
        let mut keys = Vec::new();
        for (key, sort) in &self.paging.sort {
            let column = column(key).ok_or_else(|| Fault::bad_request(format!("Invalid sort key: '{key}'.")))?;
            keys.push((column, if *sort == Sort::Ascending { Direction::Asc } else { Direction::Desc }));
        }
        let certain: Vec<&'static str> =
            keys.iter().map(|(column, _)| *column).filter(|column| !nullable.contains(column)).collect();
        let mut select = select.sort(&keys, "id").not_null(&certain);
        if let Some(marker) = &self.paging.marker {
            select = select.after(marker.as_str());
        }
        if let Some(limit) = self.paging.limit {
            select = select.limit(u32::try_from(limit + self.offset).unwrap_or(u32::MAX));
        }
        Ok(select)
    }

    /// Of the rows that were read, those of the page.
    pub(crate) fn cut<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        rows.drain(..self.offset.min(rows.len()));
        rows
    }
}

/// Whose things are listed: those of the token's project, or of all if an administrator asks for all. Others who ask are
/// answered as if they had not, as Cinder does.
pub(crate) fn reach(cx: &Cx, allowed: &Allowed<Scope>) -> Read<Option<Allowed<Scope>>> {
    let every = match cx.query().get("all_tenants") {
        None => false,
        Some("") => true,
        Some(_) => cx.query().flag("all_tenants")?.unwrap_or(false),
    };
    if every && allowed.scope().is_all() {
        return Ok(Some(allowed.clone()));
    }
    Ok(cx.caller()?.project_id().and_then(|project| allowed.in_project(project)))
}

/// Keeps the rows that are within.
pub(crate) fn within(select: Select, allowed: &Allowed<Scope>) -> Select {
    match allowed.scope() {
        Scope::All => select,
        Scope::Project(project) => select.scope("project_id = ", project),
        Scope::User { user, project } => {
            let select = select.scope("user_id = ", user);
            match project {
                Some(project) => select.scope("project_id = ", project),
                None => select,
            }
        }
        Scope::Domain(_) => select.condition("1 = 0"),
    }
}

pub(crate) fn like(allowed_since: bool, name: &str) -> Option<&str> {
    name.strip_suffix('~').filter(|_| allowed_since)
}
