// SPDX-License-Identifier: Apache-2.0
//! Bytes on their way in and out. Whatever the client said of those that come (MD5, a checksum, ahead or behind them) is
//! compared before the last of them is handed on; what does not agree never becomes an object.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use contracts::{data::Incoming, images::Chunks, objects::Refused};
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use http_body_util::StreamBody;
use hyper::body::Frame;
use md5::{Digest, Md5};
use s3s::{
    Body, S3Error, S3ErrorCode as Code, S3Result, TrailingHeaders,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256},
    dto::{Checksum, StreamingBlob},
};

use crate::{error, gate::Visitor};

const NAMES: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

/// A body, with what was said of it.
pub struct Arriving {
    body: Option<StreamingBlob>,
    pub length: Option<u64>,
    hasher: ChecksumHasher,
    md5: Option<(Md5, Vec<u8>)>,
    /// Checksums that were said ahead, by name.
    said: Vec<(&'static str, String)>,
    trailer: Option<TrailingHeaders>,
    outcome: Arc<Outcome>,
}

/// How it ended, for the answer.
#[derive(Default)]
pub struct Outcome {
    pub sums: OnceLock<Checksum>,
    wrong: OnceLock<&'static str>,
}

impl Arriving {
    pub fn new(body: Option<StreamingBlob>, headers: &HeaderMap, trailer: Option<TrailingHeaders>) -> S3Result<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let header = |name: &str| format!("x-amz-checksum-{name}");
        let said: Vec<_> = NAMES.into_iter().filter_map(|name| Some((name, text(&header(name))?.to_owned()))).collect();
        let behind = text("x-amz-trailer").unwrap_or_default().to_ascii_lowercase();
        let wanted =
            |name: &str| said.iter().any(|(said, _)| *said == name) || behind.split(',').any(|one| one.trim() == header(name));
        let hasher = ChecksumHasher {
            crc32: wanted("crc32").then(Crc32::new),
            crc32c: wanted("crc32c").then(Crc32c::new),
            crc64nvme: wanted("crc64nvme").then(Crc64Nvme::new),
            sha1: wanted("sha1").then(Sha1::new),
            sha256: wanted("sha256").then(Sha256::new),
        };
        let md5 = text("content-md5").map(|text| STANDARD.decode(text)).transpose();
        let md5 = md5.ok().filter(|sum| sum.as_ref().is_none_or(|sum| sum.len() == 16));
        let md5 = md5.ok_or_else(|| S3Error::with_message(Code::InvalidDigest, "Content-MD5 is not the MD5 of anything."))?;
        let length = text("x-amz-decoded-content-length").or_else(|| text("content-length"));
        let length = length.map(str::parse).transpose().map_err(|_| error::invalid("The length is not a number."))?;
        let (md5, outcome) = (md5.map(|sum| (Md5::new(), sum)), Arc::default());
        Ok(Self { body, length, hasher, md5, said, trailer, outcome })
    }

    pub fn outcome(&self) -> Arc<Outcome> {
        self.outcome.clone()
    }

    pub fn stream(self) -> Incoming<'static> {
        Box::pin(stream::try_unfold(Some(self), |state| async move {
            let Some(mut this) = state else { return Ok(None) };
            let next = match &mut this.body {
                Some(body) => body.next().await,
                None => None,
            };
            match next {
                Some(Ok(bytes)) => {
                    this.hasher.update(&bytes);
                    if let Some((md5, _)) = &mut this.md5 {
                        md5.update(&bytes);
                    }
                    Ok(Some((bytes, Some(this))))
                }
                Some(Err(cause)) => Err(broken(cause, &this.outcome)),
                None => this.end().map(|()| None),
            }
        }))
    }

    fn end(self) -> io::Result<()> {
        let wrong = |what: &'static str| {
            let _ = self.outcome.wrong.set(what);
            Err(io::Error::new(io::ErrorKind::InvalidData, what))
        };
        if self.md5.is_some_and(|(md5, said)| md5.finalize().as_slice() != said.as_slice()) {
            return wrong("The Content-MD5 is not that of the bytes that came.");
        }
        let sums = self.hasher.finalize();
        let mut said = self.said;
        if let Some(trailer) = &self.trailer {
            let of = |headers: &HeaderMap, name: &str| {
                Some(headers.get(format!("x-amz-checksum-{name}"))?.to_str().ok()?.trim().to_owned())
            };
            let behind = |headers: &HeaderMap| -> Vec<_> {
                NAMES.into_iter().filter_map(|name| Some((name, of(headers, name)?))).collect()
            };
            said.extend(trailer.read(behind).unwrap_or_default());
        }
        for (name, text) in said {
            if by_name(&sums, name) != Some(&text) {
                return wrong("A checksum that was sent is not that of the bytes that came.");
            }
        }
        let _ = self.outcome.sums.set(sums);
        Ok(())
    }
}

impl Outcome {
    /// What is answered where the room refused: what is known here of the bytes comes first.
    pub fn explain(&self, refused: Refused) -> S3Error {
        match self.wrong.get() {
            Some(what) => S3Error::with_message(Code::BadDigest, *what),
            None => error::refused(refused),
        }
    }
}

fn by_name<'a>(sums: &'a Checksum, name: &str) -> Option<&'a String> {
    match name {
        "crc32" => sums.checksum_crc32.as_ref(),
        "crc32c" => sums.checksum_crc32c.as_ref(),
        "crc64nvme" => sums.checksum_crc64nvme.as_ref(),
        "sha1" => sums.checksum_sha1.as_ref(),
        "sha256" => sums.checksum_sha256.as_ref(),
        _ => None,
    }
}

/// The kind of the first cause that has one: a body that came too slowly says so deep inside.
fn broken(cause: s3s::StdError, outcome: &Outcome) -> io::Error {
    let text = cause.to_string();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(cause.as_ref());
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io::Error::new(io.kind(), text);
        }
        next = error.source();
    }
    if text.contains("Mismatch") || text.contains("mismatch") {
        let _ = outcome.wrong.set("The bytes that came are not those that were signed.");
    }
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// An answer that is a stream; who asked keeps his place until it has gone.
pub fn leaving(chunks: Chunks, visitor: Visitor) -> StreamingBlob {
    let frames = chunks.map(move |chunk| {
        let _held = &visitor;
        chunk.map(Frame::data)
    });
    StreamingBlob::from(Body::http_body_unsync(StreamBody::new(frames)))
}
