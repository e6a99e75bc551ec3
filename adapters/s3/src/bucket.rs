// SPDX-License-Identifier: Apache-2.0
//! The verbs on a bucket.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use types::Timestamp;
use web::{Body, Request, Response};

use crate::{
    Error, Keys,
    sign::{Signed, escape_name, escape_path, pair},
    xml,
};

/// Up to here a file goes up in one piece.
const PART: u64 = 16 << 20;
const MOST_PARTS: u64 = 10_000;
const LARGEST: u64 = 5 << 40;
/// What a store may take to make one object of ten thousand parts.
const COMPLETION: Duration = Duration::from_secs(600);

/// How the bucket is named in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// In the path, which every service takes.
    #[default]
    Path,
    /// Before the host's name, which some insist on.
    Host,
}

/// Where a bucket is.
#[derive(Debug, Clone)]
pub struct BucketAt {
    /// `https://s3.example.com`, with a port if need be.
    pub endpoint: String,
    pub bucket: String,
    pub region: String,
    pub style: Style,
    pub keys: Keys,
}

/// An object, as a list of them tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub size: u64,
    pub changed: Timestamp,
}

#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    client: web::Client,
    scheme: &'static str,
    host: String,
    /// Before each key.
    base: String,
    region: String,
    keys: Keys,
}

impl Bucket {
    /// Asks nothing yet. The client's limits are those of one request.
    pub fn new(at: BucketAt, client: web::Client) -> Result<Self, Error> {
        let wrong = || Error::Endpoint(at.endpoint.clone());
        web::check_url(&at.endpoint).map_err(|_| wrong())?;
        let (scheme, authority) = at.endpoint.trim_end_matches('/').split_once("://").ok_or_else(wrong)?;
        if authority.contains(['/', '?', '#']) {
            return Err(wrong());
        }
        let scheme = if scheme.eq_ignore_ascii_case("https") { "https" } else { "http" };
        let authority = authority.to_ascii_lowercase();
        let (host, base) = match at.style {
            Style::Path => (authority, format!("/{}/", escape_name(&at.bucket))),
            Style::Host => (format!("{}.{authority}", at.bucket), "/".to_owned()),
        };
        Ok(Self { inner: Arc::new(Inner { client, scheme, host, base, region: at.region, keys: at.keys }) })
    }

    /// Whether the bucket is there and the keys are right.
    pub async fn check(&self) -> Result<(), Error> {
        self.list_uploads("").await.map(drop)
    }

    /// Puts a file under `key`, which is there as a whole or not at all. `sent` hears of each part.
    pub async fn put(&self, key: &str, path: &Path, mut sent: impl FnMut(u64) + Send) -> Result<(), Error> {
        let length = std::fs::metadata(path).map_err(|source| Error::File { path: path.to_owned(), source })?.len();
        if length > LARGEST {
            return Err(Error::TooLarge(length));
        }
        if length <= PART {
            let content = read(path, 0, length).await?;
            self.ask(Method::PUT, key, &[], content).await?;
            sent(length);
            return Ok(());
        }
        let upload = self.begin_upload(key).await?;
        let done = async {
            let parts = self.put_parts(key, &upload, path, length, &mut sent).await?;
            self.complete_upload(key, &upload, &parts).await
        };
        let done = done.await;
        if done.is_err()
            && let Err(error) = self.abort_upload(key, &upload).await
        {
            tracing::warn!(key, %error, "the parts of a broken upload stay until the next start");
        }
        done
    }

    /// Puts what is in memory, and no more than goes up in one request, under `key`.
    pub async fn put_bytes(&self, key: &str, content: Bytes) -> Result<(), Error> {
        self.ask(Method::PUT, key, &[], content).await.map(drop)
    }

    /// The object, or a part of it.
    pub async fn get(&self, key: &str, range: Option<RangeInclusive<u64>>) -> Result<Body, Error> {
        let mut request = self.request(&Method::GET, key, &[], Bytes::new());
        if let Some(range) = range {
            let value = format!("bytes={}-{}", range.start(), range.end());
            request = request.header(header::RANGE, HeaderValue::try_from(value).map_err(|_| Error::Answer("a range"))?);
        }
        Ok(self.send(request, key).await?.body)
    }

    /// The object's size; none if it is not there.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        match self.send(self.request(&Method::HEAD, key, &[], Bytes::new()), key).await {
            Ok(response) => {
                let length = response.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
                length.map(Some).ok_or(Error::Answer("HEAD"))
            }
            Err(Error::NoSuchObject(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sees to it that the object is gone.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        match self.ask(Method::DELETE, key, &[], Bytes::new()).await {
            Err(Error::NoSuchObject(_)) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// The keys of all objects that begin with `prefix`.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let mut keys = Vec::new();
        let mut token = None::<String>;
        loop {
            let mut query = vec![("list-type", "2"), ("prefix", prefix)];
            query.extend(token.as_deref().map(|token| ("continuation-token", token)));
            let page = self.ask(Method::GET, "", &query, Bytes::new()).await?;
            keys.extend(xml::all(&page, "Key").filter_map(|key| xml::text(&format!("<k>{key}</k>"), "k")));
            token = xml::text(&page, "NextContinuationToken").filter(|next| Some(next) != token.as_ref());
            if token.is_none() {
                return Ok(keys);
            }
        }
    }

    /// A page of the objects that begin with `prefix`, by their keys: those behind `after`, and no more than `most`. The
    /// service may answer fewer than there are, but none only at the end.
    pub async fn page(&self, prefix: &str, after: &str, most: usize) -> Result<Vec<Listed>, Error> {
        let most = most.min(1000).to_string();
        let mut query = vec![("list-type", "2"), ("max-keys", &*most), ("prefix", prefix)];
        query.extend(Some(("start-after", after)).filter(|_| !after.is_empty()));
        let page = self.ask(Method::GET, "", &query, Bytes::new()).await?;
        let listed = |content: &str| {
            let changed = Timestamp::parse(&xml::text(content, "LastModified")?)?;
            Some(Listed { key: xml::text(content, "Key")?, size: xml::text(content, "Size")?.parse().ok()?, changed })
        };
        Ok(xml::all(&page, "Contents").filter_map(listed).collect())
    }

    /// Takes away the parts of uploads under `prefix` that nobody will complete. Call it when no upload runs.
    pub async fn abandon_uploads(&self, prefix: &str) -> Result<(), Error> {
        let mut before = Vec::new();
        loop {
            // A page at a time: those that were aborted are not listed again.
            let uploads = self.list_uploads(prefix).await?;
            let ours: Vec<_> = uploads.into_iter().filter(|(key, _)| key.starts_with(prefix)).collect();
            if ours.is_empty() || ours == before {
                return Ok(());
            }
            for (key, upload) in &ours {
                self.abort_upload(key, upload).await?;
            }
            before = ours;
        }
    }

    pub(crate) async fn begin_upload(&self, key: &str) -> Result<String, Error> {
        let answer = self.ask(Method::POST, key, &[("uploads", "")], Bytes::new()).await?;
        xml::text(&answer, "UploadId").ok_or(Error::Answer("CreateMultipartUpload"))
    }

    /// Answers the parts' tags, in order.
    async fn put_parts(
        &self,
        key: &str,
        upload: &str,
        path: &Path,
        length: u64,
        sent: &mut (impl FnMut(u64) + Send),
    ) -> Result<Vec<String>, Error> {
        let part = PART.max(length.div_ceil(MOST_PARTS));
        let mut tags = Vec::new();
        for (number, from) in (1u64..).zip((0..length).step_by(usize::try_from(part).unwrap_or(usize::MAX))) {
            let content = read(path, from, part.min(length - from)).await?;
            let bytes = content.len() as u64;
            let query = [("partNumber", &*number.to_string()), ("uploadId", upload)];
            let response = self.send(self.request(&Method::PUT, key, &query, content), key).await?;
            let tag = response.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).ok_or(Error::Answer("UploadPart"))?;
            tags.push(tag.to_owned());
            sent(bytes);
        }
        Ok(tags)
    }

    async fn complete_upload(&self, key: &str, upload: &str, tags: &[String]) -> Result<(), Error> {
        let part = |(number, tag): (u32, &String)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", xml::escape(tag))
        };
        let parts: String = (1u32..).zip(tags).map(part).collect();
        let order = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let request = self.request(&Method::POST, key, &[("uploadId", upload)], order.into()).patience(COMPLETION);
        let answer = text(self.send(request, key).await?).await?;
        // S3 may answer 200 first, and then say in the body that it failed.
        if answer.contains("<CompleteMultipartUploadResult") {
            Ok(())
        } else {
            Err(Error::answered(StatusCode::INTERNAL_SERVER_ERROR, answer.as_bytes()))
        }
    }

    async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), Error> {
        match self.ask(Method::DELETE, key, &[("uploadId", upload)], Bytes::new()).await {
            Err(Error::NoSuchObject(_)) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    pub(crate) async fn list_uploads(&self, prefix: &str) -> Result<Vec<(String, String)>, Error> {
        let page = self.ask(Method::GET, "", &[("uploads", ""), ("prefix", prefix)], Bytes::new()).await?;
        let both = |upload: &str| Some((xml::text(upload, "Key")?, xml::text(upload, "UploadId")?));
        Ok(xml::all(&page, "Upload").filter_map(both).collect())
    }

    /// For what has a short answer.
    async fn ask(&self, method: Method, key: &str, query: &[(&str, &str)], body: Bytes) -> Result<String, Error> {
        text(self.send(self.request(&method, key, query, body), key).await?).await
    }

    async fn send(&self, request: Request, key: &str) -> Result<Response, Error> {
        let response = self.inner.client.send(request).await?;
        match response.status {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND if !key.is_empty() => Err(Error::NoSuchObject(key.to_owned())),
            status => Err(Error::answered(status, &response.body.bytes().await.unwrap_or_default())),
        }
    }

    fn request(&self, method: &Method, key: &str, query: &[(&str, &str)], body: Bytes) -> Request {
        let inner = &self.inner;
        let path = format!("{}{}", inner.base, escape_path(key));
        let signed = Signed { method, host: &inner.host, path: &path, query, body: &body };
        let headers = signed.headers(&inner.keys, &inner.region, Timestamp::now());
        let query: Vec<String> = query.iter().map(|(name, value)| pair(name, value)).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}://{}{path}{mark}{}", inner.scheme, inner.host, query.join("&"));
        let mut request = Request::new(method.clone(), &url).bytes(body);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                request = request.header(name, value);
            }
        }
        request
    }
}

async fn text(response: Response) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&response.body.bytes().await?).into_owned())
}

/// A part of a file, in memory. It never ends early: the file is ours and is not changed.
async fn read(path: &Path, from: u64, length: u64) -> Result<Bytes, Error> {
    let path: PathBuf = path.to_owned();
    let wrong = |source| Error::File { path: path.clone(), source };
    let reading = {
        let path = path.clone();
        move || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(from))?;
            let mut content = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            file.read_exact(&mut content)?;
            Ok(Bytes::from(content))
        }
    };
    let read = tokio::task::spawn_blocking(reading).await;
    read.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(wrong)
}
