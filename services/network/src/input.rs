// SPDX-License-Identifier: Apache-2.0
//! What a client wrote in a body, read attribute by attribute.
//!
//! Neutron tells absent from null, reads booleans from several spellings, and refuses attributes it does not know or
//! that this request may not set. A handler takes what it understands out of an [`Input`]; what is left at
//! [`Input::finish`] is refused, so nothing can be set that no line of code names.

use std::{net::IpAddr, ops::RangeInclusive};

use api::Cx;
use ipnet::IpNet;
use serde_json::{Map, Value};
use types::{Mac, ProjectId};
use words::{Object, Tongue, Wrong};

use crate::{Error, Result};

pub struct Input(Object<Neutron>);

/// Neutron's manner.
pub struct Neutron;

/// Neutron's longest name and description.
pub const LONGEST: usize = 255;

/// Reads `{"network": {…}}`, or in bulk `{"networks": [{…}, …]}`. True if it was in bulk.
pub async fn documents(cx: &mut Cx, one: &str, many: &str) -> Result<(Vec<Input>, bool), api::Fault> {
    let mut outer: Map<String, Value> = cx.json().await?;
    if let Some(value) = outer.remove(one) {
        return Ok((vec![Input::of(one, value)?], false));
    }
    match outer.remove(many) {
        Some(Value::Array(items)) if !items.is_empty() => {
            let inputs: Result<_> = items.into_iter().map(|item| Input::of(one, item)).collect();
            Ok((inputs?, true))
        }
        _ => Err(Error::bad(format!("Unable to find '{one}' in request body")).into()),
    }
}

/// Reads `{"network": {…}}`.
pub async fn document(cx: &mut Cx, one: &str) -> Result<Input, api::Fault> {
    let mut outer: Map<String, Value> = cx.json().await?;
    let value = outer.remove(one).ok_or_else(|| Error::bad(format!("Unable to find '{one}' in request body")))?;
    Ok(Input::of(one, value)?)
}

impl Input {
    pub fn of(name: &str, value: Value) -> Result<Self> {
        Object::of(name, value).map(Self)
    }

    pub fn new(fields: Map<String, Value>) -> Self {
        Self(Object::new("", fields))
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.has(name)
    }

    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.take(name)
    }

    /// Text of at most `longest` characters; null is not text.
    pub fn text(&mut self, name: &str, longest: usize) -> Result<Option<String>> {
        self.0.text(name, 0..=longest)
    }

    /// Text, or null for "none of it".
    pub fn optional_text(&mut self, name: &str, longest: usize) -> Result<Option<Option<String>>> {
        self.0.text_or_null(name, 0..=longest)
    }

    pub fn required_text(&mut self, name: &str) -> Result<String> {
        self.text(name, LONGEST)?.ok_or_else(|| missing(name))
    }

    /// `name` and `description`.
    pub fn labels(&mut self) -> Result<(Option<String>, Option<String>)> {
        Ok((self.text("name", LONGEST)?, self.text("description", LONGEST)?))
    }

    pub fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        self.0.flag(name)
    }

    /// A whole number within `range`, or null for "none of it".
    pub fn optional_number(&mut self, name: &str, range: RangeInclusive<i64>) -> Result<Option<Option<i64>>> {
        self.0.whole_or_null(name, range)
    }

    /// A whole number within `range`, written as a number or as its digits; null is no number.
    pub fn number(&mut self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>> {
        self.0.whole(name, range)
    }

    /// The id of a thing, in whichever spelling of UUIDs; null is none.
    pub fn uuid(&mut self, name: &str) -> Result<Option<String>> {
        self.text(name, LONGEST)?.map(|text| read_uuid(name, &text)).transpose()
    }

    /// The id of a thing, or null for "none of it".
    pub fn optional_uuid(&mut self, name: &str) -> Result<Option<Option<String>>> {
        let Some(text) = self.optional_text(name, LONGEST)? else { return Ok(None) };
        text.map(|text| read_uuid(name, &text)).transpose().map(Some)
    }

    pub fn required_uuid(&mut self, name: &str) -> Result<String> {
        self.uuid(name)?.ok_or_else(|| missing(name))
    }

    pub fn address(&mut self, name: &str) -> Result<Option<Option<IpAddr>>> {
        let Some(text) = self.optional_text(name, LONGEST)? else { return Ok(None) };
        let Some(text) = text else { return Ok(Some(None)) };
        read_address(name, &text).map(|address| Some(Some(address)))
    }

    pub fn mac(&mut self, name: &str) -> Result<Option<Mac>> {
        let Some(text) = self.text(name, LONGEST)? else { return Ok(None) };
        read_mac(name, &text).map(Some)
    }

    /// For the lists of which Neutron takes null as the empty one, before they are read.
    pub fn null_is_empty(&mut self, name: &str) {
        if let Some(value) = self.0.get_mut(name).filter(|value| value.is_null()) {
            *value = Value::Array(Vec::new());
        }
    }

    /// For attributes of which Neutron takes null as if they were not there, before they are read.
    pub fn null_is_absent(&mut self, name: &str) {
        if self.0.get_mut(name).is_some_and(|value| value.is_null()) {
            self.take(name);
        }
    }

    /// A list; null is none.
    pub fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>> {
        self.0.list(name)
    }

    /// A list of the ids of different things.
    pub fn uuids(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(texts) = self.texts(name)? else { return Ok(None) };
        let ids: Vec<String> = texts.iter().map(|text| read_uuid(name, text)).collect::<Result<_>>()?;
        match ids.iter().enumerate().find(|(place, id)| ids[..*place].contains(id)) {
            Some((_, twin)) => Err(bad(name, format!("duplicate items in the list: '{twin}'"))),
            None => Ok(Some(ids)),
        }
    }

    /// A list of different texts.
    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(items) = self.list(name)? else { return Ok(None) };
        let mut texts: Vec<String> = Vec::with_capacity(items.len());
        for item in items {
            let text = self.0.text_of(name, item, 0..=LONGEST)?;
            if texts.contains(&text) {
                return Err(bad(name, format!("duplicate items in the list: '{text}'")));
            }
            texts.push(text);
        }
        Ok(Some(texts))
    }

    /// A list of objects.
    pub fn objects(&mut self, name: &str) -> Result<Option<Vec<Input>>> {
        let Some(items) = self.list(name)? else { return Ok(None) };
        let read = |item| match item {
            Value::Object(fields) => Ok(Self::new(fields)),
            other => Err(bad(name, format!("{} is not a dictionary", short(&other)))),
        };
        items.into_iter().map(read).collect::<Result<_>>().map(Some)
    }

    /// The project that shall own the thing: the caller's, or the one that an administrator names.
    pub fn owner(&mut self, cx: &Cx) -> Result<ProjectId, api::Fault> {
        let named = self.text("project_id", LONGEST)?;
        let older = self.text("tenant_id", LONGEST)?;
        if let (Some(new), Some(old)) = (&named, &older)
            && new != old
        {
            return Err(Error::bad("'project_id' and 'tenant_id' do not match").into());
        }
        match named.or(older) {
            Some(id) => Ok(ProjectId::new(id)),
            None => Ok(cx.project()?.clone()),
        }
    }

    /// Refuses attributes that exist but cannot be set by this request.
    pub fn fixed(&self, names: &[&str]) -> Result<()> {
        match names.iter().find(|name| self.has(name)) {
            Some(name) => Err(Error::bad(format!("Cannot update read-only attribute {name}"))),
            None => Ok(()),
        }
    }

    /// Refuses what nobody took.
    pub fn finish(self) -> Result<()> {
        self.0.finish()
    }
}

impl Tongue for Neutron {
    type Fault = Error;

    fn say(_: &str, wrong: &Wrong<'_>) -> Error {
        match wrong {
            Wrong::NotAnObject { field, .. } => Error::bad(format!("Invalid body: '{field}' is an object of attributes.")),
            Wrong::NotAList { field, value } => bad(field, format!("{} is not a list", short(value))),
            Wrong::NotText { field, value } => bad(field, format!("{} is not a valid string", short(value))),
            Wrong::TooShort { field, .. } => bad(field, "it is too short"),
            Wrong::TooLong { field, most, .. } => bad(field, format!("it is longer than {most} characters")),
            Wrong::HoldsNul { field } => bad(field, "it contains a NUL character"),
            Wrong::NotAFlag { field, value } => bad(field, format!("{} cannot be converted to boolean", short(value))),
            Wrong::NotWhole { field, value } => bad(field, format!("{} is not an integer", short(value))),
            Wrong::OutOfRange { field, number, range, .. } => {
                bad(field, format!("{number} is not between {} and {}", range.start(), range.end()))
            }
            Wrong::Missing { field } => missing(field),
            Wrong::Unknown { fields } => Error::bad(format!("Unrecognized attribute(s) '{}'", fields.join(", "))),
        }
    }

    fn flag(value: &Value) -> Option<bool> {
        match value {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => read_flag(&number.to_string()),
            Value::String(text) => read_flag(text),
            _ => None,
        }
    }

    fn digits(text: &str) -> Option<i64> {
        text.trim().parse().ok()
    }
}

/// Every attribute that no client ever sets.
pub const READ_ONLY: [&str; 6] = ["id", "status", "created_at", "updated_at", "revision_number", "tags"];

pub fn bad(name: &str, reason: impl std::fmt::Display) -> Error {
    Error::bad(format!("Invalid input for {name}. Reason: {reason}."))
}

pub fn missing(name: &str) -> Error {
    Error::bad(format!("Failed to parse request. Required attribute '{name}' not specified"))
}

/// The words that oslo takes for yes and no.
pub fn read_flag(text: &str) -> Option<bool> {
    words::flag::oslo(text.trim())
}

pub fn read_ethertype(text: &str) -> Option<&'static str> {
    ["IPv4", "IPv6"].into_iter().find(|known| known.eq_ignore_ascii_case(text))
}

/// A prefix that names a network: no bit of its host part is set.
pub fn read_cidr(name: &str, text: &str) -> Result<IpNet> {
    let is_prefix = text.contains('/');
    let cidr = read_prefix(text).filter(|_| is_prefix).ok_or_else(|| bad(name, format!("'{text}' is not a valid IP subnet")))?;
    if cidr.trunc() != cidr {
        return Err(bad(name, format!("'{text}' isn't a recognized IP subnet cidr, '{}' is recommended", cidr.trunc())));
    }
    Ok(cidr)
}

/// A prefix, with its length or its mask; a lone address is one, too.
pub fn read_prefix(text: &str) -> Option<IpNet> {
    match text.split_once('/') {
        None => text.parse::<IpAddr>().ok().map(IpNet::from),
        Some((address, mask)) if mask.contains(['.', ':']) => IpNet::with_netmask(address.parse().ok()?, mask.parse().ok()?).ok(),
        Some(_) => text.parse().ok(),
    }
}

fn read_uuid(name: &str, text: &str) -> Result<String> {
    let id = uuid::Uuid::try_parse(text).map_err(|_| bad(name, format!("'{text}' is not a valid UUID")))?;
    Ok(id.to_string())
}

pub fn read_address(name: &str, text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| bad(name, format!("'{text}' is not a valid IP address")))
}

pub fn read_mac(name: &str, text: &str) -> Result<Mac> {
    match text.parse::<Mac>() {
        Ok(mac) if mac.is_unicast() => Ok(mac),
        _ => Err(bad(name, format!("'{text}' is not a valid MAC address"))),
    }
}

/// A value as an error may show it.
fn short(value: &Value) -> String {
    words::shortened(&value.to_string(), 60)
}
