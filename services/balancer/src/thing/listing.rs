// SPDX-License-Identifier: Apache-2.0
//! Lists as Octavia answers them: a filter on every attribute and on tags, `fields`, sorting, and pages with links both ways.

use access::Scope;
use api::{Cx, Fault, Paging, PagingHabits, Reply, Sort};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Direction, Select};
use words::flag;

use crate::input::Read;

/// A page holds at most so much, whoever asks.
const MOST: usize = 1000;
const HABITS: PagingHabits = PagingHabits { max: MOST, default: Some(MOST), default_sort: &[("created_at", Sort::Ascending)] };
const NOT_FILTERS: [&str; 7] = ["limit", "marker", "page_reverse", "sort_key", "sort_dir", "sort", "fields"];
const TAG_FILTERS: [&str; 4] = ["tags", "tags-any", "not-tags", "not-tags-any"];

/// An attribute by which a list is filtered and sorted. What a client writes picks one of these, and never becomes SQL.
pub(crate) struct Attribute {
    name: &'static str,
    column: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Flag,
    Time,
}

pub(crate) const fn text(name: &'static str) -> Attribute {
    Attribute { name, column: name, kind: Kind::Text }
}

/// An attribute whose column has another name.
pub(crate) const fn text_in(name: &'static str, column: &'static str) -> Attribute {
    Attribute { name, column, kind: Kind::Text }
}

pub(crate) const fn number(name: &'static str) -> Attribute {
    Attribute { name, column: name, kind: Kind::Number }
}

pub(crate) const fn flagged(name: &'static str) -> Attribute {
    Attribute { name, column: name, kind: Kind::Flag }
}

/// Sorted by, and not filtered by.
pub(crate) const fn time(name: &'static str) -> Attribute {
    Attribute { name, column: name, kind: Kind::Time }
}

pub(crate) struct Listing {
    paging: Paging,
    is_reverse: bool,
}

impl Listing {
    /// What the query asks for, of what the scope lets see.
    pub(crate) fn read(cx: &Cx, attributes: &'static [Attribute], scope: &Scope, select: Select) -> Read<(Self, Select)> {
        let paging = Paging::read(cx.query(), &HABITS)?;
        let is_reverse = cx.query().get("page_reverse").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let mut select = match scope {
            Scope::All => select,
            scope => match scope.project() {
                Some(project) => select.scope("project_id = ", project),
                None => select.condition("1 = 0"),
            },
        };
        let mut sort = Vec::new();
        for (key, direction) in &paging.sort {
            let known = attributes.iter().find(|attribute| attribute.name == key);
            let column = known.ok_or_else(|| Fault::bad_request(format!("The sort key '{key}' is invalid.")))?.column;
            let is_ascending = (*direction == Sort::Ascending) != is_reverse;
            sort.push((column, if is_ascending { Direction::Asc } else { Direction::Desc }));
        }
        if is_reverse && !sort.iter().any(|(column, _)| *column == "id") {
            sort.push(("id", Direction::Desc));
        }
        for (key, value) in cx.query().pairs().filter(|(key, _)| !NOT_FILTERS.contains(key)) {
            if TAG_FILTERS.contains(&key) {
                select = tagged(select, key, value);
                continue;
            }
            let key = if key == "tenant_id" { "project_id" } else { key };
            let known = attributes.iter().find(|attribute| attribute.name == key && attribute.kind != Kind::Time);
            let attribute = known.ok_or_else(|| Fault::bad_request(format!("The filter '{key}' is invalid.")))?;
            select = attribute.narrow(select, value)?;
        }
        select = select.sort(&sort, "id").after(paging.marker.clone());
        if let Some(limit) = paging.limit {
            select = select.limit(u32::try_from(limit).unwrap_or(u32::MAX));
        }
        Ok((Self { paging, is_reverse }, select))
    }

    /// Whether the rows come in the reverse of the order in which they are answered.
    pub(crate) fn is_reverse(&self) -> bool {
        self.is_reverse
    }

    pub(crate) fn answer(&self, cx: &Cx, many: &'static str, views: Vec<Value>) -> Reply {
        let id = |view: Option<&Value>| view.and_then(|view| view["id"].as_str()).map(str::to_owned);
        let ends = id(views.first()).zip(id(views.last()));
        let is_full = self.paging.limit.is_some_and(|limit| views.len() >= limit);
        let mut links = Vec::new();
        if let Some((first, last)) = ends {
            let link = |rel: &str, reverse: &str, marker: &str| {
                let query = api::Query::parse(Some(&cx.query().with("page_reverse", reverse)));
                json!({"rel": rel, "href": format!("{}?{}", cx.own_url(), query.with("marker", marker))})
            };
            if is_full || self.is_reverse {
                links.push(link("next", "False", &last));
            }
            if self.paging.marker.is_some() && (is_full || !self.is_reverse) {
                links.push(link("previous", "True", &first));
            }
        }
        let views: Vec<Value> = views.into_iter().map(|view| with_fields(cx, view)).collect();
        api::json(StatusCode::OK, &json!({ many: views, format!("{many}_links"): links }))
    }
}

impl Attribute {
    fn narrow(&self, select: Select, value: &str) -> Read<Select> {
        let wrong = || Fault::bad_request(format!("'{value}' is not a value that {} can have.", self.name));
        Ok(match self.kind {
            Kind::Text | Kind::Time => select.filter_in(self.column, [value]),
            Kind::Number => select.filter_in(self.column, [value.parse::<i64>().map_err(|_| wrong())?]),
            Kind::Flag => select.filter_in(self.column, [i64::from(flag::oslo(value).ok_or_else(wrong)?)]),
        })
    }
}

/// Only the fields that the query names, where it names some.
pub(crate) fn with_fields(cx: &Cx, mut view: Value) -> Value {
    let fields: Vec<&str> = cx.query().all("fields").flat_map(|list| list.split(',')).filter(|name| !name.is_empty()).collect();
    if let (Value::Object(map), false) = (&mut view, fields.is_empty()) {
        map.retain(|name, _| fields.contains(&name.as_str()));
    }
    view
}

/// Tags stand in their column as a JSON list, so that each of them stands there as its own JSON text. All of these, any of them,
/// not all, or none.
fn tagged(select: Select, filter: &str, list: &str) -> Select {
    let parts: Vec<String> = list.split(',').map(|tag| json!(tag).to_string()).collect();
    match filter {
        "tags" => parts.iter().fold(select, |select, part| select.filter_contains("tags", part)),
        "tags-any" => select.filter_contains_any("tags", &parts),
        "not-tags" => select.filter_lacks_any("tags", &parts),
        _ => parts.iter().fold(select, |select, part| select.filter_lacks_any("tags", std::slice::from_ref(part))),
    }
}
