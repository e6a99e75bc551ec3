// SPDX-License-Identifier: Apache-2.0
//! `limit`, `marker` and sorting as clients send them, for every service's own habit.

use crate::{Cx, Fault, Query};

/// Where a service differs from the others.
#[derive(Debug, Clone, Copy)]
pub struct PagingHabits {
    /// The most a page may hold; a larger `limit` is taken as this one (Nova, Glance).
    pub max: usize,
    /// Page size when none is asked for; `None` means all rows (Keystone, Neutron).
    pub default: Option<usize>,
    pub default_sort: &'static [(&'static str, Sort)],
}

/// The condition by which a page begins grows with their square.
const MOST_SORT_KEYS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Ascending,
    Descending,
}

#[derive(Debug, Clone)]
pub struct Paging {
    pub limit: Option<usize>,
    pub marker: Option<String>,
    /// API names; the room maps them to columns and refuses those it does not know.
    pub sort: Vec<(String, Sort)>,
}

impl Paging {
    /// Reads `limit`, `marker`, `sort_key`/`sort_dir` (repeatable) and `sort=key:dir,key`.
    pub fn read(query: &Query, habits: &PagingHabits) -> Result<Self, Fault> {
        let limit = match query.get("limit") {
            None => habits.default,
            Some(text) => {
                let asked: usize = text
                    .parse()
                    .map_err(|_| Fault::bad_request(format!("'limit' is a whole number that is not negative, not '{text}'.")))?;
                Some(asked.min(habits.max))
            }
        };
        let marker = query.get("marker").filter(|marker| !marker.is_empty()).map(str::to_owned);
        let mut sort = Vec::new();
        if let Some(list) = query.get("sort") {
            for item in list.split(',').filter(|item| !item.is_empty()) {
                let (key, direction) = item.split_once(':').unwrap_or((item, "desc"));
                sort.push((key.trim().to_owned(), read_direction(direction.trim())?));
            }
        } else {
            let directions: Vec<_> = query.all("sort_dir").map(read_direction).collect::<Result<_, _>>()?;
            let keys: Vec<_> = query.all("sort_key").collect();
            if directions.len() > keys.len().max(1) {
                return Err(Fault::bad_request("There are more 'sort_dir' than 'sort_key'."));
            }
            let fallback = habits.default_sort.first().map_or(Sort::Ascending, |(_, direction)| *direction);
            for (i, key) in keys.iter().enumerate() {
                sort.push(((*key).to_owned(), directions.get(i).or(directions.first()).copied().unwrap_or(fallback)));
            }
            if keys.is_empty() {
                for (key, direction) in habits.default_sort {
                    sort.push(((*key).to_owned(), directions.first().copied().unwrap_or(*direction)));
                }
            }
        }
        if sort.len() > MOST_SORT_KEYS {
            let message = format!("The list is to be sorted by {} keys; {MOST_SORT_KEYS} is the most.", sort.len());
            return Err(Fault::bad_request(message));
        }
        Ok(Self { limit, marker, sort })
    }

    /// The link to the page after this one, if this one is full. `last` is the id of its last row.
    pub fn next_link(&self, cx: &Cx, rows: usize, last: Option<&str>) -> Option<String> {
        match (self.limit, last) {
            (Some(limit), Some(last)) if limit > 0 && rows >= limit => {
                Some(format!("{}?{}", cx.own_url(), cx.query().with("marker", last)))
            }
            _ => None,
        }
    }
}

fn read_direction(text: &str) -> Result<Sort, Fault> {
    match text {
        "asc" => Ok(Sort::Ascending),
        "desc" => Ok(Sort::Descending),
        _ => Err(Fault::bad_request(format!("A sort direction is 'asc' or 'desc', not '{text}'."))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lists_take_few_sort_keys() {
        let habits = PagingHabits { max: 1000, default: None, default_sort: &[] };
        let read = |query: &str| Paging::read(&Query::parse(Some(query)), &habits).map(|paging| paging.sort.len());
        assert_eq!(read(&format!("sort={}", "name:asc,".repeat(16))).unwrap(), 16);
        assert_eq!(read(&"sort_key=name&".repeat(16)).unwrap(), 16);
        for many in [format!("sort={}", "name,".repeat(5000)), "sort_key=name&".repeat(17)] {
            let fault = read(&many).unwrap_err();
            assert!(fault.status == 400 && fault.message.contains("16 is the most"), "{}", fault.message);
        }
    }
}
