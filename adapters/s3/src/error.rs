// SPDX-License-Identifier: Apache-2.0
//! What can go wrong between us and the object store, in words for the operator.

use std::{io, path::PathBuf};

use http::StatusCode;

use crate::xml;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no object {0}")]
    NoSuchObject(String),
    #[error("the object store could not be asked")]
    Web(#[from] web::Error),
    /// `code` and `message` are the store's own.
    #[error("the object store answered {status} ({code}): {message}")]
    Answered { status: StatusCode, code: String, message: String },
    #[error("the object store's answer to {0} makes no sense")]
    Answer(&'static str),
    #[error("cannot read {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("'{0}' is not the URL of an object store: it is http or https, a host, and no more")]
    Endpoint(String),
    #[error("a file of {0} bytes is larger than an object can be")]
    TooLarge(u64),
}

impl Error {
    /// Of an answer that is an error, whatever its body is.
    pub(crate) fn answered(status: StatusCode, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let part = |name| xml::text(&text, name).unwrap_or_default();
        let (code, message) = (part("Code"), part("Message"));
        let code = if code.is_empty() { "without a code".into() } else { code };
        Self::Answered { status, code, message }
    }
}
