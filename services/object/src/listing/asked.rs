// SPDX-License-Identifier: Apache-2.0
//! What a list was asked for.

use api::{Cx, Query};

use super::{Span, after_all};
use crate::{Error, limits};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    Xml,
}

#[derive(Debug, Clone)]
pub struct Asked {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub marker: Option<String>,
    pub end_marker: Option<String>,
    pub reverse: bool,
    pub limit: usize,
    /// What lies directly in such a folder, its own marker aside.
    pub path: Option<String>,
    pub format: Format,
}

impl Asked {
    pub fn read(cx: &Cx) -> Result<Self, Error> {
        Self::of_query(cx.query(), Format::of(cx)?)
    }

    pub fn of_query(query: &Query, format: Format) -> Result<Self, Error> {
        let some = |name| query.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let limit = match query.get("limit").map(str::parse) {
            Some(Ok(limit)) if limit > limits::LISTING => {
                return Err(Error::Precondition(format!("Maximum limit is {}", limits::LISTING)));
            }
            Some(Ok(limit)) => limit,
            // What is no number is overlooked, as Swift does.
            Some(Err(_)) | None => limits::LISTING,
        };
        let mut asked = Self {
            prefix: query.get("prefix").unwrap_or_default().to_owned(),
            delimiter: some("delimiter"),
            marker: some("marker"),
            end_marker: some("end_marker"),
            reverse: query.get("reverse").is_some_and(|text| words::flag::oslo(text) == Some(true)),
            limit,
            path: None,
            format,
        };
        if let Some(path) = query.get("path") {
            let folder = path.trim_end_matches('/');
            asked.prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            asked.delimiter = Some("/".to_owned());
            asked.path = Some(asked.prefix.clone());
        }
        Ok(asked)
    }

    /// What lies directly in a folder, each folder in it as one.
    pub fn folder(folder: &str, limit: usize, format: Format) -> Self {
        let (prefix, delimiter) = (folder.to_owned(), Some("/".to_owned()));
        Self { prefix, delimiter, marker: None, end_marker: None, reverse: false, limit, path: None, format }
    }

    /// All that may be of the list.
    pub(super) fn span(&self) -> Span {
        let (after, before) = if self.reverse { (&self.end_marker, &self.marker) } else { (&self.marker, &self.end_marker) };
        let end = if self.prefix.is_empty() { None } else { after_all(&self.prefix) };
        let below = match (before.clone(), end) {
            (Some(before), Some(end)) => Some(before.min(end)),
            (before, end) => before.or(end),
        };
        let from = (!self.prefix.is_empty()).then(|| self.prefix.clone());
        Span { above: after.clone(), from, below, reverse: self.reverse, limit: self.limit }
    }

    /// With what this name is folded.
    pub(super) fn subdir(&self, name: &str) -> Option<String> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = name.strip_prefix(&self.prefix)?;
        let at = rest.find(delimiter)?;
        let end = self.prefix.len() + at + delimiter.len();
        // The marker of a folder is shown in the folder above.
        let is_marker = self.path.is_some() && end == name.len();
        (!is_marker).then(|| name[..end].to_owned())
    }
}

impl Format {
    /// By the query, else by the first kind that the client takes.
    pub fn of(cx: &Cx) -> Result<Self, Error> {
        match cx.query().get("format") {
            Some("json") => return Ok(Self::Json),
            Some("xml") => return Ok(Self::Xml),
            Some("plain" | "text") => return Ok(Self::Text),
            _ => {}
        }
        let Some(accept) = cx.header("accept").filter(|text| !text.trim().is_empty()) else { return Ok(Self::Text) };
        let mut kinds: Vec<(f32, Self)> = accept.split(',').filter_map(acceptable).collect();
        kinds.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let format = kinds.first().map(|(_, format)| *format);
        format.ok_or_else(|| {
            Error::NotAcceptable(format!("Lists are text/plain, application/json or application/xml, not {accept}."))
        })
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
        }
    }
}

fn acceptable(item: &str) -> Option<(f32, Format)> {
    let mut parts = item.split(';').map(str::trim);
    let format = match parts.next()? {
        "text/plain" | "*/*" | "text/*" => Format::Text,
        "application/json" | "application/*" => Format::Json,
        "application/xml" | "text/xml" => Format::Xml,
        _ => return None,
    };
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok())?;
    (weight > 0.0).then_some((weight, format))
}
