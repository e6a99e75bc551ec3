// SPDX-License-Identifier: Apache-2.0
//! Files that a page's form brings from a visitor's browser: Swift's FormPost. Whoever wrote the page signed how many and how
//! large they may be, until when, and where they go; the visitor is nobody else than who came by that signature.
//!
//! Invariant: a form puts what was signed, where it was signed, and nothing else (test:
//! `a_form_puts_what_was_signed_and_nothing_else`).

mod fields;
mod parts;

use std::io;

use api::{Cx, Fault, Reply, Response, respond};
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use types::Timestamp;

use crate::{
    Error, Objects, data,
    grant::{Signature, Who},
    incoming::Incoming,
    metadata::text,
    object::{Content, Kind, Wanted, admit, commit, facts},
    place::Place,
    temp_url,
};
use fields::Fields;
use parts::{Part, Parts};

pub fn is_one(cx: &Cx) -> bool {
    cx.header("content-type").is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
}

pub async fn take(room: &Objects, mut cx: Cx) -> Reply {
    let place = Place::of(&cx)?;
    let kind = text(&cx.headers, "content-type")?.unwrap_or_default().to_owned();
    let boundary = parts::boundary(&kind).ok_or_else(|| Error::invalid("Invalid boundary"))?;
    let incoming = Incoming::new(cx.stream()?);
    let mut parts = Parts::begin(incoming, &boundary).await?;
    let mut fields = Fields::default();
    let mut form = None;
    let mut files = 0;
    while let Some(part) = parts.next().await? {
        let Some(filename) = part.filename.as_deref().filter(|name| !name.is_empty()) else {
            fields.add(&mut parts, &part).await?;
            continue;
        };
        if form.is_none() {
            form = Some(Form::signed(room, &place, &fields).await?);
        }
        let Some(form) = &form else { continue };
        files += 1;
        if files > form.max_files {
            return form.answer(StatusCode::BAD_REQUEST, "max file count exceeded");
        }
        if let Err(error) = form.put(room, &place, filename, &part, &mut parts).await {
            return match error.status() {
                status if status.is_client_error() => form.answer(status, &error.to_string()),
                _ => Err(error.into()),
            };
        }
        parts.skip().await?;
    }
    match form {
        Some(form) => form.answer(StatusCode::CREATED, ""),
        None => Form::signed(room, &place, &fields).await?.answer(StatusCode::BAD_REQUEST, "no files to process"),
    }
}

/// What its author signed.
struct Form {
    who: Who,
    redirect: String,
    max_size: u64,
    max_files: u64,
    delete_at: Option<Timestamp>,
}

impl Form {
    async fn signed(room: &Objects, place: &Place, fields: &Fields) -> Result<Self, Error> {
        let number = |name: &str| {
            let text = fields.get(name).ok_or_else(|| Error::Invalid(format!("{name} is missing")))?;
            text.trim().parse::<u64>().map_err(|_| Error::Invalid(format!("{name} not an integer")))
        };
        let (max_size, max_files) = (number("max_file_size")?, number("max_file_count")?);
        let expires = fields.get("expires").ok_or_else(|| Error::invalid("expires is missing"))?;
        let until = expires.trim().parse::<i64>().map_err(|_| Error::invalid("expires not an integer"))?;
        if until <= Timestamp::now().seconds() {
            return Err(Error::Form("Form Expired"));
        }
        let redirect = fields.get("redirect").unwrap_or_default();
        let [size, count] = ["max_file_size", "max_file_count"].map(|name| fields.get(name).unwrap_or_default());
        let at = place.clone();
        let keys = room.store.read(move |tx| temp_url::keys(tx, &at)).await?;
        let signed = Signature::check_form(
            fields.get("signature").unwrap_or_default(),
            |path| format!("{path}\n{redirect}\n{size}\n{count}\n{expires}"),
            place,
            &keys,
        );
        let who = Who::nobody().with_signature(signed.ok_or(Error::Form("Invalid Signature"))?);
        let mut headers = HeaderMap::new();
        for (field, name) in [("x_delete_at", "x-delete-at"), ("x_delete_after", "x-delete-after")] {
            if let Some(value) = fields.get(field) {
                let value = HeaderValue::from_str(value).map_err(|_| Error::Invalid(format!("{field} not an integer")))?;
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let delete_at = facts::delete_at(&headers)?;
        Ok(Self { who, redirect: redirect.to_owned(), max_size, max_files, delete_at })
    }

    async fn put<S>(&self, room: &Objects, at: &Place, filename: &str, part: &Part, parts: &mut Parts<S>) -> Result<(), Error>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let stamp = Timestamp::now();
        let (container, name) = match at.container.is_empty() {
            true => filename.split_once('/').unwrap_or((filename, "")),
            false => (at.container.as_str(), filename),
        };
        if container.is_empty() || (at.object.is_empty() && name.is_empty()) {
            return Err(Error::invalid("A file has a name."));
        }
        let place = at.in_container(container, &format!("{}{name}", at.object))?;
        let admitted = admit(room, &self.who, &place, false).await?;
        let project = admitted.granted.project().as_str().to_owned();
        let most = admitted.room.min(self.max_size);
        let taken = data::take(room, &project, None, most, Box::pin(parts.content())).await;
        let taken = taken.map_err(|error| match error {
            Error::TooLarge(_) if most == self.max_size => Error::TooLarge("max_file_size exceeded".to_owned()),
            error => error,
        })?;
        let mut headers = HeaderMap::new();
        if let Some(kind) = part.kind.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok()) {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        let content_type = facts::content_type(&headers, &place.object)?;
        let words = facts::words(&HeaderMap::new())?;
        let delete_at = self.delete_at;
        let wanted = Wanted { stamp, content_type, words, kind: Kind::Plain, delete_at, if_none: false };
        commit(room, admitted.granted, &place, wanted, Content::Taken(taken)).await.map(drop)
    }

    /// The browser is sent on to where its author said, with what came of it.
    fn answer(&self, status: StatusCode, message: &str) -> Result<Response, Fault> {
        let reason = status.canonical_reason().unwrap_or_default();
        if self.redirect.is_empty() {
            let (reason, message) = (api::escape_html(reason), api::escape_html(message));
            let page = format!("<html><h1>{reason}</h1><p>{message}</p></html>");
            return Ok(respond(status, "text/html; charset=UTF-8", page));
        }
        let join = if self.redirect.contains('?') { '&' } else { '?' };
        let said = form_urlencoded::Serializer::new(String::new())
            .append_pair("status", status.as_str())
            .append_pair("message", message)
            .finish();
        let to = HeaderValue::from_str(&format!("{}{join}{said}", self.redirect));
        let to = to.map_err(|_| Error::invalid("redirect is no address"))?;
        let page = format!("<html><h1>{}</h1></html>", api::escape_html(reason));
        let mut response = respond(StatusCode::SEE_OTHER, "text/html; charset=UTF-8", page);
        response.headers_mut().insert(header::LOCATION, to);
        Ok(response)
    }
}
