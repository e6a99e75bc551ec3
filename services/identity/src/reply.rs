// SPDX-License-Identifier: Apache-2.0
//! Keystone's answers: one thing under its name, or many with links around them; each with a link to itself.

use std::collections::HashMap;

use api::{Cx, Fault, Paging, PagingHabits, Reply, json};
use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use store::{Direction, Select};
use types::Timestamp;

/// Something with a place of its own under `/v3`.
pub trait Resource: Serialize {
    const ONE: &'static str;
    const MANY: &'static str;

    fn id(&self) -> &str;

    /// Below the service's prefix.
    fn path(&self) -> String {
        format!("/v3/{}/{}", Self::MANY, self.id())
    }

    fn url(&self, cx: &Cx) -> String {
        cx.url(&self.path())
    }
}

#[derive(Serialize)]
pub struct SelfLink {
    #[serde(rename = "self")]
    own: String,
}

/// A resource with its link.
#[derive(Serialize)]
pub struct Linked<'a, T> {
    #[serde(flatten)]
    item: &'a T,
    links: SelfLink,
}

#[derive(Serialize)]
struct ListLinks {
    next: Option<String>,
    previous: Option<String>,
    #[serde(rename = "self")]
    own: String,
}

/// Keystone answers with all rows unless a limit is asked for.
const HABITS: PagingHabits = PagingHabits { max: 1000, default: None, default_sort: &[] };

pub fn show<T: Resource>(cx: &Cx, item: &T) -> Reply {
    one(cx, StatusCode::OK, item)
}

pub fn created<T: Resource>(cx: &Cx, item: &T) -> Reply {
    one(cx, StatusCode::CREATED, item)
}

/// What was created in one request, in a list without links around it.
pub fn created_many<T: Resource>(cx: &Cx, items: &[T]) -> Reply {
    let items: Vec<_> = items.iter().map(|item| linked(cx, item)).collect();
    json(StatusCode::CREATED, &HashMap::from([(T::MANY, items)]))
}

pub fn linked<'a, T: Resource>(cx: &Cx, item: &'a T) -> Linked<'a, T> {
    Linked { item, links: self_link(item.url(cx)) }
}

pub fn self_link(own: String) -> SelfLink {
    SelfLink { own }
}

/// The whole list.
pub fn list<T: Resource>(cx: &Cx, items: &[T]) -> Reply {
    many(cx, items, None)
}

/// One page of a list that [`paged`] read.
pub fn page<T: Resource>(cx: &Cx, items: &[T]) -> Reply {
    let paging = Paging::read(cx.query(), &HABITS)?;
    let next = paging.next_link(cx, items.len(), items.last().map(Resource::id));
    many(cx, items, next)
}

/// Sorts by name, and takes the page that the query asks for.
pub fn paged(cx: &Cx, select: Select) -> Result<Select, Fault> {
    let paging = Paging::read(cx.query(), &HABITS)?;
    let select = select.sort(&[("name", Direction::Asc)], "id").not_null(&["name"]).after(paging.marker);
    Ok(match paging.limit {
        Some(limit) => select.limit(u32::try_from(limit).unwrap_or(u32::MAX)),
        None => select,
    })
}

/// The address of this request with its query, as Keystone repeats it in a list's links.
pub fn full_url(cx: &Cx) -> String {
    let mut url = cx.own_url();
    if !cx.query().is_empty() {
        url.push('?');
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(cx.query().pairs());
        url.push_str(&query.finish());
    }
    url
}

/// `links` and a list of anything.
pub fn collection(cx: &Cx, key: &str, items: &impl Serialize) -> Reply {
    json(StatusCode::OK, &Collection { links: list_links(cx, None), key, items })
}

fn one<T: Resource>(cx: &Cx, status: StatusCode, item: &T) -> Reply {
    json(status, &HashMap::from([(T::ONE, linked(cx, item))]))
}

fn many<T: Resource>(cx: &Cx, items: &[T], next: Option<String>) -> Reply {
    let items: Vec<_> = items.iter().map(|item| linked(cx, item)).collect();
    json(StatusCode::OK, &Collection { links: list_links(cx, next), key: T::MANY, items: &items })
}

fn list_links(cx: &Cx, next: Option<String>) -> ListLinks {
    ListLinks { next, previous: None, own: full_url(cx) }
}

struct Collection<'a, I> {
    links: ListLinks,
    key: &'a str,
    items: &'a I,
}

impl<I: Serialize> Serialize for Collection<'_, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("links", &self.links)?;
        map.serialize_entry(self.key, self.items)?;
        map.end()
    }
}

/// An instant without a zone, as Keystone writes those of passwords and credentials.
pub fn naive<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(Timestamp::naive_micros).serialize(serializer)
}
