// SPDX-License-Identifier: Apache-2.0
//! The filters of server lists. What a tenant may filter by differs from what the operator may, and by version.

use std::net::IpAddr;

use access::{Allowed, Scope};
use api::{Cx, Fault, Query};
use serde_json::json;
use store::{Select, Tx};
use types::{ServerId, Timestamp};

use super::{
    pattern::{Pattern, is_plain},
    row::COLUMNS,
    state::{FOREIGN_STATUSES, STATUSES},
    table,
};
use crate::{
    availability_zone::ZONE,
    error::{Error, Result},
    input::{Read, wrong},
    server::policy,
    versions::at_least,
};

/// Parameters that Nova knows; from 2.75 on others are refused, before they were passed over.
pub(super) const KNOWN: &[&str] = &[
    "user_id",
    "project_id",
    "tenant_id",
    "launch_index",
    "image_ref",
    "image",
    "kernel_id",
    "ramdisk_id",
    "hostname",
    "key_name",
    "power_state",
    "vm_state",
    "task_state",
    "host",
    "node",
    "flavor",
    "reservation_id",
    "launched_at",
    "terminated_at",
    "availability_zone",
    "name",
    "display_name",
    "description",
    "display_description",
    "locked_by",
    "uuid",
    "root_device_name",
    "config_drive",
    "access_ip_v4",
    "access_ip_v6",
    "auto_disk_config",
    "progress",
    "all_tenants",
    "soft_deleted",
    "deleted",
    "status",
    "changes-since",
    "changes-before",
    "ip",
    "ip6",
    "created_at",
    "tags",
    "tags-any",
    "not-tags",
    "not-tags-any",
    "locked",
];

/// What the servers of a list must meet.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub select: Select,
    /// The same conditions on the columns of a first look.
    first: Select,
    tests: Vec<(Column, Test)>,
}

/// What no two databases can test in the same words is tested here, in a first look at the rows.
#[derive(Debug, Clone)]
enum Test {
    Pattern(Pattern),
    All(Vec<String>),
    Any(Vec<String>),
    NotAll(Vec<String>),
    None(Vec<String>),
}

/// The columns of the first look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name = 1,
    Hostname = 2,
    Description = 3,
    Tags = 4,
    Addresses = 5,
}

const FIRST_LOOK: &str = "id, name, hostname, description, tags, (SELECT string_agg(addresses, ' ') FROM server_claims \
                          WHERE server_id = servers.id AND kind = 'port')";

/// More rows would not fit into one statement.
const MOST: usize = 16_000;

impl Filter {
    /// The ids of the rows that pass the tests, if there are tests: one more statement, whatever their number.
    pub(super) fn look(&self, tx: &mut Tx) -> Result<Option<Vec<ServerId>>> {
        if self.tests.is_empty() {
            return Ok(None);
        }
        let mut ids = Vec::new();
        for row in self.first.rows(tx)? {
            let mut passes = true;
            for (column, test) in &self.tests {
                passes = passes && test.passes(row.get::<Option<&str>>(*column as usize)?.unwrap_or_default());
            }
            if passes {
                ids.push(row.get(0)?);
            }
        }
        if ids.len() > MOST {
            return Err(Error::invalid("More servers match than can be listed by a pattern. Narrow it down."));
        }
        Ok(Some(ids))
    }

    fn both(self, add: impl Fn(Select) -> Select) -> Self {
        Self { select: add(self.select), first: add(self.first), tests: self.tests }
    }

    fn test(mut self, column: Column, test: Test) -> Self {
        self.tests.push((column, test));
        self
    }
}

impl Test {
    fn passes(&self, text: &str) -> bool {
        // Tags are a JSON list.
        let tags = || -> Vec<String> { serde_json::from_str(text).unwrap_or_default() };
        match self {
            Self::Pattern(pattern) => pattern.matches(text),
            Self::All(wanted) => contains_all(&tags(), wanted),
            Self::NotAll(wanted) => !contains_all(&tags(), wanted),
            Self::Any(wanted) => contains_any(&tags(), wanted),
            Self::None(wanted) => !contains_any(&tags(), wanted),
        }
    }
}

fn contains_all(tags: &[String], wanted: &[String]) -> bool {
    wanted.iter().all(|tag| tags.contains(tag))
}

fn contains_any(tags: &[String], wanted: &[String]) -> bool {
    wanted.iter().any(|tag| tags.contains(tag))
}

/// Reads the filters; `None` if no server can meet them.
pub(super) fn read(cx: &Cx, allowed: &Allowed<Scope>) -> Read<Option<Filter>> {
    let is_operator = cx.scope(&policy::ALL_FILTERS).is_ok();
    let select = |columns| table::confined(Select::new("servers", columns), allowed.scope());
    let filter = Filter { select: select(COLUMNS), first: select(FIRST_LOOK), tests: Vec::new() };
    let Some(filter) = by_life(cx, filter, is_operator)? else { return Ok(None) };
    let filter = by_name(cx, filter, is_operator)?;
    let filter = by_tags(cx, filter);
    by_facts(cx, filter, is_operator, allowed).map(Some)
}

/// Status, deletion, time of change.
fn by_life(cx: &Cx, mut filter: Filter, is_operator: bool) -> Read<Option<Filter>> {
    let query = cx.query();
    let (statuses, unknown): (Vec<String>, Vec<String>) =
        query.all("status").map(str::to_ascii_uppercase).partition(|word| is_status(word));
    // One that is known counts, whatever stands beside it.
    if let Some(unknown) = unknown.first().filter(|_| statuses.is_empty()) {
        if at_least(cx.version, 38) {
            return Err(Fault::bad_request(format!("Invalid status value: {unknown}")));
        }
        return Ok(None);
    }
    let wants_deleted = statuses.iter().any(|word| word == "DELETED");
    if wants_deleted && !is_operator {
        return Err(Fault::forbidden("Only administrators may list deleted instances"));
    }
    let deleted = is_operator && (wants_deleted || (query.get("deleted").is_some() && query.flag("deleted")?.unwrap_or(false)));
    let since = time(query, "changes-since")?;
    let before = if at_least(cx.version, 66) { time(query, "changes-before")? } else { None };
    if let (Some(since), Some(before)) = (since, before)
        && since > before
    {
        return Err(Fault::bad_request("The value of changes-since must be less than or equal to changes-before."));
    }
    filter = filter.both(|mut select| {
        // Who asks for changes wants to hear of deletions too.
        select = match (deleted, since) {
            (true, _) if !wants_deleted => select.condition("deleted_at IS NOT NULL"),
            (false, None) => select.condition("deleted_at IS NULL"),
            _ => select,
        };
        if let Some(since) = since {
            select = select.filter("updated_at >= ", since);
        }
        if let Some(before) = before {
            select = select.filter("updated_at <= ", before);
        }
        if !statuses.is_empty() {
            select = select.filter_in("status", statuses.iter().cloned());
        }
        select
    });
    Ok(Some(filter))
}

fn by_name(cx: &Cx, mut filter: Filter, is_operator: bool) -> Read<Filter> {
    let everybody = is_operator || at_least(cx.version, 83);
    for (name, column, may) in [
        ("name", Column::Name, true),
        ("display_name", Column::Name, true),
        ("hostname", Column::Hostname, everybody),
        ("description", Column::Description, everybody),
        ("display_description", Column::Description, everybody),
    ] {
        let Some(text) = cx.query().get(name).filter(|_| may) else { continue };
        if column == Column::Name && is_plain(text) {
            filter = filter.both(|select| select.filter_contains("lower(name)", &text.to_lowercase()));
        } else {
            filter = filter.test(column, Test::Pattern(Pattern::read(name, text)?));
        }
    }
    for (name, may) in [("ip", true), ("ip6", is_operator || at_least(cx.version, 5))] {
        if let Some(text) = cx.query().get(name).filter(|_| may) {
            filter = by_address(filter, name, text)?;
        }
    }
    Ok(filter)
}

/// Servers with such an address, as network last told of it. The dots of an address are meant as dots.
fn by_address(filter: Filter, name: &str, text: &str) -> Read<Filter> {
    let part = text.trim_start_matches('^').trim_end_matches('$').replace("\\.", ".");
    let is_literal = part.parse::<IpAddr>().is_ok() || part.chars().all(|c| c.is_ascii_hexdigit() || ".:".contains(c));
    if !is_literal {
        // Each address stands between blanks, so these are its ends.
        let anchored = text.replace(['^', '$'], " ");
        return Ok(filter.test(Column::Addresses, Test::Pattern(Pattern::read(name, &anchored)?)));
    }
    let blank = |is_anchored: bool| if is_anchored { " " } else { "" };
    let pattern = format!("%{}{part}{}%", blank(text.starts_with('^')), blank(text.ends_with('$')));
    Ok(filter.both(|select| {
        let condition =
            "EXISTS (SELECT 1 FROM server_claims WHERE server_id = servers.id AND kind = 'port' AND addresses LIKE ?)";
        select.condition_with(condition, vec![pattern.clone().into()])
    }))
}

fn by_tags(cx: &Cx, mut filter: Filter) -> Filter {
    type Make = fn(Vec<String>) -> Test;
    let tests: [(&str, Make); 4] =
        [("tags", Test::All), ("tags-any", Test::Any), ("not-tags", Test::NotAll), ("not-tags-any", Test::None)];
    for (name, test) in tests {
        let Some(text) = cx.query().get(name).filter(|_| at_least(cx.version, 26)) else { continue };
        let tags: Vec<String> = text.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
        if !tags.is_empty() {
            filter = filter.test(Column::Tags, test(tags));
        }
    }
    filter
}

/// What a column holds as it is.
fn by_facts(cx: &Cx, mut filter: Filter, is_operator: bool, allowed: &Allowed<Scope>) -> Read<Filter> {
    let query = cx.query();
    let everybody_since_83 = is_operator || at_least(cx.version, 83);
    // Within the token's project a project filter changes nothing; among all projects it chooses one.
    let among_all = is_operator && allowed.scope().is_all();
    for (name, condition, may) in [
        ("reservation_id", "reservation_id = ", true),
        ("uuid", "id = ", true),
        ("image", "image_id = ", true),
        ("image_ref", "image_id = ", is_operator),
        ("flavor", "flavor_id = ", true),
        ("key_name", "key_name = ", everybody_since_83),
        ("user_id", "user_id = ", everybody_since_83),
        ("project_id", "project_id = ", among_all),
        ("tenant_id", "project_id = ", among_all),
        ("host", "host = ", is_operator),
        ("node", "host = ", is_operator),
    ] {
        if let Some(text) = query.get(name).filter(|_| may) {
            // A link to an image or a flavor is as good as its id.
            let value = if name == "image" || name == "flavor" { text.rsplit('/').next().unwrap_or_default() } else { text };
            filter = filter.both(|select| select.filter(condition, value));
        }
    }
    if let Some(text) = query.get("vm_state").filter(|_| everybody_since_83) {
        filter = filter.both(|select| select.filter_in("vm_state", text.split(',').map(str::to_ascii_lowercase)));
    }
    if let Some(text) = query.get("task_state").filter(|_| everybody_since_83) {
        filter = filter.both(|select| select.filter_in("coalesce(task_state, '')", [text.to_ascii_lowercase()]));
    }
    // What is compared with a number, and is none, nothing can meet.
    for (name, condition, may) in
        [("power_state", "power_state = ", everybody_since_83), ("launch_index", "launch_index = ", is_operator)]
    {
        if let Some(text) = query.get(name).filter(|_| may) {
            filter = match text.parse::<i64>() {
                Ok(number) => filter.both(|select| select.filter(condition, number)),
                Err(_) => filter.both(|select| select.condition("1 = 0")),
            };
        }
    }
    for (name, condition) in [("access_ip_v4", "access_ip_v4 = "), ("access_ip_v6", "access_ip_v6 = ")] {
        // Kept in the one spelling that an address has, and so looked for.
        if let Some(text) = query.get(name).filter(|_| is_operator) {
            let address = text.parse::<IpAddr>().map_or_else(|_| text.to_owned(), |address| address.to_string());
            filter = filter.both(|select| select.filter(condition, address.as_str()));
        }
    }
    if query.get("config_drive").is_some() && everybody_since_83 {
        let wanted = query.flag("config_drive")?.unwrap_or(false);
        filter = filter.both(|select| select.filter("config_drive = ", wanted));
    }
    if query.get("availability_zone").is_some_and(|zone| zone != ZONE) && everybody_since_83 {
        filter = filter.both(|select| select.condition("1 = 0"));
    }
    if query.get("locked").is_some() && at_least(cx.version, 73) {
        let condition = if query.flag("locked")?.unwrap_or(false) { "locked_by IS NOT NULL" } else { "locked_by IS NULL" };
        filter = filter.both(|select| select.condition(condition));
    }
    Ok(filter)
}

fn is_status(word: &str) -> bool {
    STATUSES.contains(&word) || FOREIGN_STATUSES.contains(&word)
}

fn time(query: &Query, name: &str) -> Read<Option<Timestamp>> {
    let Some(text) = query.get(name) else { return Ok(None) };
    // A plus sign in a query string reads as a blank.
    let parsed = Timestamp::parse(text).or_else(|| Timestamp::parse(&text.replace(' ', "+")));
    parsed.map(Some).ok_or_else(|| wrong(name, &json!(text), "It is not a 'date-time'."))
}
