// SPDX-License-Identifier: Apache-2.0
//! `multipart/form-data`, part by part, as it comes.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, stream};

use crate::{Error, incoming::Incoming};

/// Bytes of the head of one part.
const LONGEST_HEAD: usize = 8 << 10;
const LONGEST_BOUNDARY: usize = 200;

pub struct Part {
    pub name: String,
    pub filename: Option<String>,
    /// Of its content.
    pub kind: Option<String>,
}

pub struct Parts<S> {
    incoming: Incoming<S>,
    /// What stands before each part, and after the last.
    line: Vec<u8>,
    /// Whether all of this part was read, and the line behind it.
    at_head: bool,
}

/// The `boundary` of a type of content.
pub fn boundary(kind: &str) -> Option<String> {
    let found = parameters(kind).find(|(name, _)| name == "boundary").map(|(_, value)| value)?;
    (!found.is_empty() && found.len() <= LONGEST_BOUNDARY).then_some(found)
}

/// `name=value` and `name="value"` behind semicolons.
fn parameters(header: &str) -> impl Iterator<Item = (String, String)> {
    let mut rest = header.split_once(';').map_or("", |(_, rest)| rest);
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_start_matches([';', ' ', '\t']).trim().to_ascii_lowercase();
        let after = after.trim_start();
        let Some(quoted) = after.strip_prefix('"') else {
            let (value, more) = after.split_once(';').unwrap_or((after, ""));
            rest = more;
            return Some((name, value.trim().to_owned()));
        };
        let (mut value, mut chars) = (String::new(), quoted.char_indices());
        rest = "";
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    rest = &quoted[at + 1..];
                    break;
                }
                // Browsers escape nothing but the quote; a backslash in a name is one.
                '\\' if quoted[at + 1..].starts_with('"') => {
                    value.push('"');
                    chars.next();
                }
                c => value.push(c),
            }
        }
        Some((name, value))
    })
}

fn bad() -> Error {
    Error::invalid("The form is not one as its boundary says.")
}

impl<S: Stream<Item = io::Result<Bytes>> + Send + Unpin> Parts<S> {
    pub async fn begin(mut incoming: Incoming<S>, boundary: &str) -> Result<Self, Error> {
        let line = format!("\r\n--{boundary}").into_bytes();
        if !incoming.fill(line.len() - 2).await.map_err(Error::BrokenOff)? || !incoming.held().starts_with(&line[2..]) {
            return Err(bad());
        }
        incoming.skip(line.len() - 2);
        Ok(Self { incoming, line, at_head: true })
    }

    /// The next part, once the last was read. None behind the last.
    pub async fn next(&mut self) -> Result<Option<Part>, Error> {
        self.skip().await?;
        if !self.incoming.fill(2).await.map_err(Error::BrokenOff)? {
            return Err(bad());
        }
        match &*self.incoming.take(2) {
            b"--" => return Ok(None),
            b"\r\n" => {}
            _ => return Err(bad()),
        }
        let end = loop {
            // A head without lines ends where it begins.
            if self.incoming.held().starts_with(b"\r\n") {
                break 0;
            }
            if let Some(end) = find(self.incoming.held(), b"\r\n\r\n") {
                break end + 2;
            }
            if self.incoming.held().len() > LONGEST_HEAD || !self.incoming.more().await.map_err(Error::BrokenOff)? {
                return Err(bad());
            }
        };
        let head = self.incoming.take(end);
        self.incoming.skip(2);
        self.at_head = false;
        read_head(&head).map(Some)
    }

    /// What is here of this part. None at its end.
    pub async fn bytes(&mut self) -> io::Result<Option<Bytes>> {
        if self.at_head {
            return Ok(None);
        }
        loop {
            let held = self.incoming.held();
            match find(held, &self.line) {
                Some(0) => {
                    self.incoming.skip(self.line.len());
                    self.at_head = true;
                    return Ok(None);
                }
                Some(end) => return Ok(Some(self.incoming.take(end))),
                // Its end may be the beginning of the line.
                None if held.len() >= self.line.len() => {
                    return Ok(Some(self.incoming.take(held.len() + 1 - self.line.len())));
                }
                None => {}
            }
            if !self.incoming.more().await? {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the form ends too soon"));
            }
        }
    }

    pub async fn skip(&mut self) -> Result<(), Error> {
        while self.bytes().await.map_err(Error::BrokenOff)?.is_some() {}
        Ok(())
    }

    /// The content of this part.
    pub fn content(&mut self) -> impl Stream<Item = io::Result<Bytes>> + Send + '_ {
        stream::try_unfold(self, |parts| async move { Ok(parts.bytes().await?.map(|bytes| (bytes, parts))) })
    }
}

fn find(held: &[u8], what: &[u8]) -> Option<usize> {
    // Lines begin with a character that is rare in what they part.
    let mut from = 0;
    while let Some(at) = held[from..].iter().position(|byte| *byte == what[0]) {
        if held[from + at..].starts_with(what) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn read_head(head: &[u8]) -> Result<Part, Error> {
    let head = std::str::from_utf8(head).map_err(|_| Error::invalid("A name in the form is not UTF-8."))?;
    let mut part = Part { name: String::new(), filename: None, kind: None };
    for line in head.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(bad)?;
        match name.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => {
                for (name, value) in parameters(value) {
                    match name.as_str() {
                        "name" => part.name = value,
                        "filename" => part.filename = Some(value),
                        _ => {}
                    }
                }
            }
            "content-type" => part.kind = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    Ok(part)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_form_is_read_however_its_bytes_come() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--\r\n--b\r\nContent-Disposition: form-data; \
                     name=\"f\"; filename=\"x \\\"y;=\\z.txt\"\r\nContent-Type: text/x\r\n\r\n\r\n-\r\n--b--\r\n";
        for size in [1, 2, 3, 7, 1000] {
            let chunks: Vec<_> = body.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            let mut parts = Parts::begin(Incoming::new(stream::iter(chunks)), "b").await.unwrap();
            let mut seen = Vec::new();
            while let Some(part) = parts.next().await.unwrap() {
                let mut content = Vec::new();
                while let Some(bytes) = parts.bytes().await.unwrap() {
                    content.extend_from_slice(&bytes);
                }
                seen.push((part.name, part.filename, part.kind, String::from_utf8(content).unwrap()));
            }
            let file = Some("x \"y;=\\z.txt".to_owned());
            let wanted = [
                ("a".to_owned(), None, None, "1\r\n--".to_owned()),
                ("f".to_owned(), file, Some("text/x".to_owned()), "\r\n-".to_owned()),
            ];
            assert_eq!(seen, wanted, "{size}");
        }
        assert_eq!(boundary("multipart/form-data; charset=x; boundary=\"a b\"").unwrap(), "a b");
        assert_eq!(boundary("multipart/form-data"), None);
    }
}
