// SPDX-License-Identifier: Apache-2.0
//! Lists as they are sent: names line by line, JSON, or XML.

use std::fmt::Write;

use api::{Response, empty, escape_html, respond};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{Entry, Format};
use crate::Error;

/// What a list shows of each of its things.
pub trait Line: Serialize {
    /// `container`, `object`
    const TAG: &'static str;

    fn name(&self) -> &str;

    /// Its fields beside the name, in their order in XML.
    fn fields(&self) -> Vec<(&'static str, String)>;
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a, T> {
    One(&'a T),
    Subdir { subdir: &'a str },
}

/// `of` is the tag around all, and its name.
pub fn list<T: Line>(entries: &[Entry<T>], format: Format, of: (&str, &str), headers: HeaderMap) -> Result<Response, Error> {
    let mut response = match format {
        // Nothing, in no form, is no content.
        Format::Text if entries.is_empty() => {
            let mut response = empty(StatusCode::NO_CONTENT);
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
            response
        }
        Format::Text => respond(StatusCode::OK, format.content_type(), text(entries)),
        Format::Json => respond(StatusCode::OK, format.content_type(), json(entries)?),
        Format::Xml => respond(StatusCode::OK, format.content_type(), xml(entries, of)),
    };
    response.headers_mut().extend(headers);
    Ok(response)
}

fn text<T: Line>(entries: &[Entry<T>]) -> String {
    entries.iter().fold(String::new(), |mut text, entry| {
        text.push_str(match entry {
            Entry::One(one) => one.name(),
            Entry::Subdir(dir) => dir,
        });
        text.push('\n');
        text
    })
}

fn json<T: Line>(entries: &[Entry<T>]) -> Result<Vec<u8>, Error> {
    let shown: Vec<Shown<'_, T>> = entries
        .iter()
        .map(|entry| match entry {
            Entry::One(one) => Shown::One(one),
            Entry::Subdir(subdir) => Shown::Subdir { subdir },
        })
        .collect();
    serde_json::to_vec(&shown)
        .map_err(|error| Error::Data(contracts::Refusal::internal(format!("write a list as JSON: {error}"))))
}

fn xml<T: Line>(entries: &[Entry<T>], (tag, name): (&str, &str)) -> String {
    let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{tag} name=\"{}\">", escape_html(name));
    for entry in entries {
        match entry {
            Entry::One(one) => {
                let _ = write!(xml, "<{}><name>{}</name>", T::TAG, escape_html(one.name()));
                for (field, value) in one.fields() {
                    let _ = write!(xml, "<{field}>{}</{field}>", escape_html(&value));
                }
                let _ = write!(xml, "</{}>", T::TAG);
            }
            Entry::Subdir(dir) => {
                let dir = escape_html(dir);
                let _ = write!(xml, "<subdir name=\"{dir}\"><name>{dir}</name></subdir>");
            }
        }
    }
    let _ = write!(xml, "</{tag}>");
    xml
}
