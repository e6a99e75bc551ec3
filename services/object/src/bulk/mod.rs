// SPDX-License-Identifier: Apache-2.0
//! Many at once: deletes that one request names, and files that come in an archive. Each is judged by itself.

mod archive;
mod delete;
mod plain;
mod tar;

use api::{Reply, respond};
use http::StatusCode;
use serde::Serialize;

pub use archive::{extract, is_asked_for};
pub use delete::{delete, delete_one};

use crate::{Error, listing::Format};

/// What came of them.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    #[serde(rename = "Response Status")]
    status: String,
    #[serde(rename = "Response Body")]
    body: String,
    #[serde(rename = "Number Deleted", skip_serializing_if = "Option::is_none")]
    deleted: Option<usize>,
    #[serde(rename = "Number Not Found", skip_serializing_if = "Option::is_none")]
    missing: Option<usize>,
    #[serde(rename = "Number Files Created", skip_serializing_if = "Option::is_none")]
    created: Option<usize>,
    /// Each with its status.
    #[serde(rename = "Errors")]
    errors: Vec<(String, String)>,
}

impl Outcome {
    pub fn of_deletes() -> Self {
        Self { deleted: Some(0), missing: Some(0), ..Self::default() }
    }

    fn of_files() -> Self {
        Self { created: Some(0), ..Self::default() }
    }

    fn refused(&mut self, name: String, error: &Error) {
        self.errors.push((name, error.status().to_string()));
    }

    /// Notes what came of a delete; fails only by our own fault.
    fn note(&mut self, name: String, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Ok(()) => self.deleted = self.deleted.map(|count| count + 1),
            Err(Error::NotFound) => self.missing = self.missing.map(|count| count + 1),
            Err(error) if error.status().is_client_error() => self.refused(name, &error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// How many of them had an effect, or none to have.
    fn done(&self) -> usize {
        [self.deleted, self.missing, self.created].into_iter().flatten().sum()
    }

    /// The answer is 200 whatever came of them; its body says what did.
    pub fn reply(mut self, format: Format) -> Reply {
        let refused = self.errors.iter().any(|(_, status)| status.starts_with("401"));
        self.status = match self.errors.is_empty() {
            _ if !self.body.is_empty() => "400 Bad Request",
            true if self.done() == 0 => "400 Bad Request",
            true if self.created.is_some() => "201 Created",
            true => "200 OK",
            false if refused => "401 Unauthorized",
            false => "400 Bad Request",
        }
        .to_owned();
        if self.errors.is_empty() && self.done() == 0 && self.body.is_empty() {
            let what = if self.created.is_some() { "Invalid Tar File: No Valid Files" } else { "Invalid bulk delete." };
            what.clone_into(&mut self.body);
        }
        if format == Format::Json {
            return api::json(StatusCode::OK, &self);
        }
        let mut text = String::new();
        for (name, count) in
            [("Number Deleted", self.deleted), ("Number Not Found", self.missing), ("Number Files Created", self.created)]
        {
            if let Some(count) = count {
                text.push_str(&format!("{name}: {count}\n"));
            }
        }
        text.push_str(&format!("Response Body: {}\nResponse Status: {}\nErrors:\n", self.body, self.status));
        for (name, status) in &self.errors {
            text.push_str(&format!("{name}, {status}\n"));
        }
        Ok(respond(StatusCode::OK, "text/plain; charset=utf-8", text))
    }
}
