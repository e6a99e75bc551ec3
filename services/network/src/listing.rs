// SPDX-License-Identifier: Apache-2.0
//! Lists as Neutron answers them: a filter on every attribute, `fields`, sorting, and pages with links both ways.
//!
//! A drawer names its attributes and their columns once, in a table of [`Attribute`]s; a client's text never becomes
//! SQL, it only picks a line of that table.

use std::{cmp::Ordering, collections::BTreeMap, net::IpAddr};

use api::{Cx, Paging, PagingHabits, Reply, Sort, json};
use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use store::{Direction, Select};
use types::Mac;

use crate::{
    Error, Result,
    input::{read_ethertype, read_flag, read_prefix},
};

/// An attribute by which a list can be filtered and sorted, and what it is in SQL.
pub struct Attribute {
    name: &'static str,
    sql: &'static str,
    kind: Kind,
    filters: bool,
}

/// What a value is, and so which spellings of it are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// Text whose capitals mean nothing.
    Word,
    /// `IPv4` or `IPv6`.
    Ethertype,
    Number,
    Flag,
    Mac,
    Address,
    Prefix,
}

impl Attribute {
    const fn new(name: &'static str, sql: &'static str, kind: Kind) -> Self {
        Self { name, sql, kind, filters: true }
    }

    /// Neutron sorts by it and does not filter by it.
    pub const fn sorts_only(self) -> Self {
        Self { filters: false, ..self }
    }
}

pub const fn text(name: &'static str, sql: &'static str) -> Attribute {
    Attribute::new(name, sql, Kind::Text)
}

pub const fn word(name: &'static str, sql: &'static str) -> Attribute {
    Attribute::new(name, sql, Kind::Word)
}

pub const fn ethertype(name: &'static str, sql: &'static str) -> Attribute {
    Attribute::new(name, sql, Kind::Ethertype)
}

pub const fn number(name: &'static str, sql: &'static str) -> Attribute {
    Attribute::new(name, sql, Kind::Number)
}

pub const fn flag(name: &'static str, sql: &'static str) -> Attribute {
    Attribute::new(name, sql, Kind::Flag)
}

pub const fn mac(name: &'static str, sql: &'static str) -> Attribute {
    Attribute::new(name, sql, Kind::Mac)
}

pub const fn address(name: &'static str, sql: &'static str) -> Attribute {
    Attribute::new(name, sql, Kind::Address)
}

pub const fn prefix(name: &'static str, sql: &'static str) -> Attribute {
    Attribute::new(name, sql, Kind::Prefix)
}

/// What one list request asks for.
#[derive(Clone)]
pub struct Listing {
    paging: Paging,
    reverse: bool,
    sort: Vec<(&'static str, Direction)>,
    filters: Vec<Filter>,
    /// Values of the filters that the drawer understands itself.
    special: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Clone)]
enum Filter {
    Texts(&'static str, Vec<String>),
    Numbers(&'static str, Vec<i64>),
}

const HABITS: PagingHabits = PagingHabits { max: u32::MAX as usize, default: None, default_sort: &[("id", Sort::Ascending)] };
pub const NOT_FILTERS: [&str; 8] = ["limit", "marker", "page_reverse", "sort_key", "sort_dir", "sort", "fields", "verbose"];
/// The filters of whatever can have tags.
pub const TAG_FILTERS: [&str; 4] = ["tags", "tags-any", "not-tags", "not-tags-any"];

impl Listing {
    /// `special` names the filters that are no plain column.
    pub fn read(cx: &Cx, attributes: &'static [Attribute], special: &[&'static str]) -> Result<Self, api::Fault> {
        let query = cx.query();
        let mut paging = Paging::read(query, &HABITS)?;
        paging.limit = paging.limit.filter(|limit| *limit > 0);
        // Without pages there is nothing that a marker marks.
        paging.marker = paging.marker.filter(|_| paging.limit.is_some());
        let reverse = query.get("page_reverse").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let given = |name| query.all(name).filter(|value| !value.is_empty()).count();
        if given("sort_key") != given("sort_dir") {
            return Err(Error::bad("The number of sort_keys and sort_dirs must be same").into());
        }
        let mut sort = Vec::new();
        for (key, direction) in &paging.sort {
            let attribute =
                find(attributes, key).ok_or_else(|| Error::bad(format!("'{key}' is an invalid attribute for sort key")))?;
            let ascending = (*direction == Sort::Ascending) != reverse;
            sort.push((attribute.sql, if ascending { Direction::Asc } else { Direction::Desc }));
        }
        let mut named: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (key, value) in query.pairs().filter(|(key, _)| !NOT_FILTERS.contains(key)) {
            named.entry(key).or_default().push(value.to_owned());
        }
        let mut listing = Self { paging, reverse, sort, filters: Vec::new(), special: BTreeMap::new() };
        for (key, values) in named {
            let known = special.iter().find(|name| **name == key);
            match (known, find(attributes, key).filter(|attribute| attribute.filters)) {
                (Some(name), _) => {
                    listing.special.insert(name, values);
                }
                (None, Some(attribute)) => listing.filters.push(attribute.filter(values)?),
                (None, None) => return Err(Error::bad(format!("'{key}' is an invalid attribute for filtering")).into()),
            }
        }
        Ok(listing)
    }

    pub fn special(&self, name: &str) -> &[String] {
        self.special.get(name).map_or(&[], Vec::as_slice)
    }

    /// Adds the filters, the order and the page to a query over `table`.
    pub fn apply(&self, mut select: Select) -> Select {
        for filter in &self.filters {
            select = match filter {
                Filter::Texts(column, values) => select.filter_in(column, values.iter().cloned()),
                Filter::Numbers(column, values) => select.filter_in(column, values.iter().copied()),
            };
        }
        for name in TAG_FILTERS {
            // A list in one value and one in several are the same.
            let mut tags: Vec<&str> = self.special(name).iter().flat_map(|list| list.split(',')).collect();
            tags.sort_unstable();
            tags.dedup();
            if !tags.is_empty() {
                select = tagged(select, name, tags);
            }
        }
        let mut sort = self.sort.clone();
        if self.reverse && !sort.iter().any(|(column, _)| *column == "id") {
            sort.push(("id", Direction::Desc));
        }
        select = select.sort(&sort, "id").after(self.paging.marker.clone());
        match self.paging.limit {
            Some(limit) => select.limit(u32::try_from(limit).unwrap_or(u32::MAX)),
            None => select,
        }
    }

    /// How many rows the page has, if nothing but their ids says which.
    pub fn limit_by_id(&self) -> Option<usize> {
        self.paging.limit.filter(|_| self.sort.iter().all(|(column, _)| *column == "id"))
    }

    /// Which of two ids comes first in the tables' order of such a page.
    pub fn order_of_ids(&self, one: &str, other: &str) -> Ordering {
        match self.sort.first() {
            Some((_, Direction::Desc)) => other.cmp(one),
            None if self.reverse => other.cmp(one),
            _ => one.cmp(other),
        }
    }

    /// The rows of the page in the order of the answer.
    pub fn ordered<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        if self.reverse {
            rows.reverse();
        }
        rows
    }

    /// `ends` are the ids of the first and the last.
    pub fn answer<V: Serialize>(&self, cx: &Cx, many: &'static str, views: &[V], ends: Option<[String; 2]>) -> Reply {
        let links = ends.and_then(|ends| self.links(cx, views.len(), &ends));
        document(cx, StatusCode::OK, many, views, links)
    }

    fn links(&self, cx: &Cx, rows: usize, [first, last]: &[String; 2]) -> Option<Vec<Link>> {
        let limit = self.paging.limit?;
        let full = rows >= limit;
        let link = |rel, reverse: &str, marker: &str| {
            let query = api::Query::parse(Some(&cx.query().with("page_reverse", reverse)));
            Link { rel, href: format!("{}?{}", cx.own_url(), query.with("marker", marker)) }
        };
        let mut links = Vec::new();
        if full || self.reverse {
            links.push(link("next", "False", last));
        }
        if (full || !self.reverse) && self.paging.marker.is_some() {
            links.push(link("previous", "True", first));
        }
        (!links.is_empty()).then_some(links)
    }
}

impl Attribute {
    fn filter(&self, values: Vec<String>) -> Result<Filter> {
        let numbers = |read: &dyn Fn(&str) -> Option<i64>| {
            let read = |text: &String| {
                read(text).ok_or_else(|| Error::bad(format!("'{text}' is not a value that {} can have", self.name)))
            };
            Ok(Filter::Numbers(self.sql, values.iter().map(read).collect::<Result<_>>()?))
        };
        // What is not of its kind is the value of nothing.
        let spelled = |spell: &dyn Fn(&str) -> Option<String>| {
            let spell = |text: String| spell(&text).unwrap_or(text);
            Ok(Filter::Texts(self.sql, values.iter().cloned().map(spell).collect()))
        };
        match self.kind {
            Kind::Text => Ok(Filter::Texts(self.sql, values)),
            Kind::Number => numbers(&|text| text.trim().parse().ok()),
            Kind::Flag => numbers(&|text| read_flag(text).map(i64::from)),
            Kind::Word => spelled(&|text| Some(text.to_ascii_lowercase())),
            Kind::Ethertype => spelled(&|text| read_ethertype(text).map(str::to_owned)),
            Kind::Mac => spelled(&|text| text.parse().ok().map(|mac: Mac| mac.to_string())),
            Kind::Address => spelled(&|text| text.parse().ok().map(|address: IpAddr| address.to_string())),
            Kind::Prefix => spelled(&|text| read_prefix(text).map(|prefix| prefix.to_string())),
        }
    }
}

/// One resource under its key.
pub fn one<V: Serialize>(cx: &Cx, status: StatusCode, key: &'static str, view: &V) -> Reply {
    document(cx, status, key, view, None)
}

/// What a create answers: one resource, or the list that a bulk request made.
pub fn created<V: Serialize>(cx: &Cx, one_key: &'static str, many_key: &'static str, views: &[V], in_bulk: bool) -> Reply {
    match views {
        [view] if !in_bulk => one(cx, StatusCode::CREATED, one_key, view),
        views => document(cx, StatusCode::CREATED, many_key, views, None),
    }
}

/// The revision that `If-Match: revision_number=N` demands.
pub fn demanded_revision(cx: &Cx) -> Result<Option<i64>> {
    let Some(text) = cx.header("if-match") else { return Ok(None) };
    let number = text.strip_prefix("revision_number=").and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| Error::bad(format!("If-Match is 'revision_number=' and a number, not '{text}'")))
}

/// Refuses a write that was meant for another revision.
pub fn check_revision(demanded: Option<i64>, found: i64) -> Result<()> {
    match demanded {
        Some(demanded) if demanded != found => Err(Error::RevisionNumberConstraintFailed { found }),
        _ => Ok(()),
    }
}

#[derive(Serialize)]
struct Link {
    rel: &'static str,
    href: String,
}

struct Document<'a, V: ?Sized> {
    key: &'a str,
    value: &'a V,
    links: Option<Vec<Link>>,
}

impl<V: Serialize + ?Sized> Serialize for Document<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.key, self.value)?;
        if let Some(links) = &self.links {
            map.serialize_entry(&format!("{}_links", self.key), links)?;
        }
        map.end()
    }
}

fn document<V: Serialize + ?Sized>(cx: &Cx, status: StatusCode, key: &'static str, value: &V, links: Option<Vec<Link>>) -> Reply {
    let fields: Vec<&str> = cx.query().all("fields").flat_map(|list| list.split(',')).filter(|name| !name.is_empty()).collect();
    if fields.is_empty() {
        return json(status, &Document { key, value, links });
    }
    let mut tree = serde_json::to_value(value).map_err(api::Fault::internal)?;
    match &mut tree {
        Value::Array(items) => items.iter_mut().for_each(|item| keep(item, &fields)),
        item => keep(item, &fields),
    }
    json(status, &Document { key, value: &tree, links })
}

fn keep(item: &mut Value, fields: &[&str]) {
    if let Value::Object(map) = item {
        map.retain(|name, _| fields.contains(&name.as_str()));
    }
}

fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    let name = if name == "tenant_id" { "project_id" } else { name };
    attributes.iter().find(|attribute| attribute.name == name)
}

/// A resource has all of these tags, any of them, not all, or none.
fn tagged(select: Select, filter: &str, tags: Vec<&str>) -> Select {
    let count = i64::try_from(tags.len()).unwrap_or(i64::MAX);
    let all = " GROUP BY resource_id HAVING count(*) = ?)";
    match filter {
        "tags" => {
            select.condition_in(["id IN (SELECT resource_id FROM network_tags WHERE tag IN ", all], tags, vec![count.into()])
        }
        "not-tags" => {
            select.condition_in(["id NOT IN (SELECT resource_id FROM network_tags WHERE tag IN ", all], tags, vec![count.into()])
        }
        "tags-any" => select.condition_in(["id IN (SELECT resource_id FROM network_tags WHERE tag IN ", ")"], tags, vec![]),
        _ => select.condition_in(["id NOT IN (SELECT resource_id FROM network_tags WHERE tag IN ", ")"], tags, vec![]),
    }
}
