// SPDX-License-Identifier: Apache-2.0
//! A request signed as RFC 5849, 3.4 says: a HMAC over the method, the address and all parameters, under the secrets of
//! the consumer and of the token; or, where the way is trusted, these secrets themselves. Keystone takes no RSA: it keeps no
//! keys of consumers.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;
use types::{Secret, Timestamp};

use super::BadSignature;

/// The request as it was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    pub method: &'a Method,
    /// Without its query.
    pub url: &'a str,
    pub query: &'a [(String, String)],
    /// The header of this name.
    pub authorization: Option<&'a str>,
}

/// What of a request cannot be read, in words for who sent it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

type Result<T, E = Unreadable> = std::result::Result<T, E>;

/// What the header `Authorization` says. Nothing of it is true before [`verify`](Self::verify).
#[derive(Debug)]
pub struct SignedRequest {
    pub consumer: String,
    /// The request token or access token, where there is one yet.
    pub token: Option<String>,
    pub verifier: Option<String>,
    pub nonce: String,
    pub signed_at: Timestamp,
    by: SignatureMethod,
    signature: String,
    /// The text under the signature.
    base: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignatureMethod {
    HmacSha1,
    HmacSha256,
    HmacSha512,
    Plaintext,
}

/// Longer is no nonce that a client makes.
const LONGEST_NONCE: usize = 255;

impl SignedRequest {
    pub fn read(sent: Sent<'_>) -> Result<Self> {
        let params =
            sent.authorization.and_then(parse_header).ok_or_else(|| invalid("the OAuth header 'Authorization' is missing"))?;
        let one = |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let needed =
            |name: &str| one(name).filter(|value| !value.is_empty()).ok_or_else(|| invalid(&format!("{name} is missing")));
        let by = SignatureMethod::named(&needed("oauth_signature_method")?)?;
        if one("oauth_version").is_some_and(|version| version != "1.0") {
            return Err(invalid("oauth_version is 1.0"));
        }
        let seconds: u32 = needed("oauth_timestamp")?.parse().map_err(|_| invalid("oauth_timestamp is a number of seconds"))?;
        let nonce = needed("oauth_nonce")?;
        if nonce.len() > LONGEST_NONCE {
            return Err(invalid("oauth_nonce is too long"));
        }
        Ok(Self {
            consumer: needed("oauth_consumer_key")?,
            token: one("oauth_token").filter(|token| !token.is_empty()),
            verifier: one("oauth_verifier"),
            nonce,
            signed_at: Timestamp::from_seconds(seconds.into()),
            by,
            signature: needed("oauth_signature")?,
            base: base_text(sent, &params)?,
        })
    }

    pub fn token(&self) -> Result<&str> {
        self.token.as_deref().ok_or_else(|| invalid("oauth_token is missing"))
    }

    pub fn verifier(&self) -> Result<&str> {
        self.verifier.as_deref().ok_or_else(|| invalid("oauth_verifier is missing"))
    }

    /// Whether who sent this knows both secrets. In constant time.
    pub fn verify(&self, consumer: &Secret<String>, token: Option<&Secret<String>>) -> Result<(), BadSignature> {
        let key = format!("{}&{}", escape(consumer.reveal()), token.map(|token| escape(token.reveal())).unwrap_or_default());
        if self.by == SignatureMethod::Plaintext {
            let is_right = self.signature.as_bytes().ct_eq(key.as_bytes());
            return if bool::from(is_right) { Ok(()) } else { Err(BadSignature) };
        }
        let signature = STANDARD.decode(self.signature.trim()).map_err(|_| BadSignature)?;
        let (key, base) = (key.as_bytes(), self.base.as_bytes());
        match self.by {
            SignatureMethod::HmacSha256 => keyed::<Hmac<Sha256>>(key, base, &signature),
            SignatureMethod::HmacSha512 => keyed::<Hmac<Sha512>>(key, base, &signature),
            SignatureMethod::HmacSha1 | SignatureMethod::Plaintext => keyed::<Hmac<Sha1>>(key, base, &signature),
        }
    }
}

impl SignatureMethod {
    fn named(name: &str) -> Result<Self> {
        match name {
            "HMAC-SHA1" => Ok(Self::HmacSha1),
            "HMAC-SHA256" => Ok(Self::HmacSha256),
            "HMAC-SHA512" => Ok(Self::HmacSha512),
            "PLAINTEXT" => Ok(Self::Plaintext),
            _ => Err(invalid("oauth_signature_method is HMAC-SHA1, HMAC-SHA256, HMAC-SHA512 or PLAINTEXT")),
        }
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], base: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    let mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(base).verify_slice(signature).map_err(|_| BadSignature)
}

fn invalid(what: &str) -> Unreadable {
    Unreadable(format!("Invalid input for field 'request': {what}."))
}

/// `OAuth realm="…", oauth_nonce="…"`; what is named twice is no header.
fn parse_header(header: &str) -> Option<Vec<(String, String)>> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("oauth") {
        return None;
    }
    let mut params: Vec<(String, String)> = vec![];
    for part in rest.split(',').filter(|part| !part.trim().is_empty()) {
        let (name, value) = part.trim().split_once('=')?;
        let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
        let (name, value) = (decode(name), decode(value));
        if params.iter().any(|(known, _)| *known == name) {
            return None;
        }
        params.push((name, value));
    }
    Some(params)
}

/// RFC 5849, 3.4.1.
fn base_text(sent: Sent<'_>, params: &[(String, String)]) -> Result<String> {
    let address: http::Uri = sent.url.parse().map_err(|_| invalid("its address cannot be read"))?;
    let scheme = address.scheme_str().unwrap_or("http").to_lowercase();
    let host = address.host().unwrap_or_default().to_lowercase();
    let port = match (scheme.as_str(), address.port_u16()) {
        ("http", Some(80)) | ("https", Some(443)) | (_, None) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    let signed = params.iter().filter(|(name, _)| name != "realm" && name != "oauth_signature");
    let mut pairs: Vec<(String, String)> = signed.chain(sent.query).map(|(name, value)| (escape(name), escape(value))).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let address = format!("{scheme}://{host}{port}{}", address.path());
    Ok(format!("{}&{}&{}", sent.method.as_str().to_uppercase(), escape(&address), escape(&pairs.join("&"))))
}

/// RFC 5849, 3.6: all but the unreserved characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn read(method: &Method, url: &str, query: &[(&str, &str)], header: &str) -> Result<SignedRequest> {
        let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        SignedRequest::read(Sent { method, url, query: &query, authorization: Some(header) })
    }

    #[test]
    fn the_secrets_themselves_or_another_hash() {
        let (consumer, token) = (Secret::new("kd9 h&4".to_owned()), Secret::new("pfk".to_owned()));
        // Made with oauthlib.
        for (method, signature) in [
            ("PLAINTEXT", "kd9%2520h%25264%26pfk"),
            ("HMAC-SHA256", "lzvSvqgFUtc5qe%2Fpr09t8ApzcDYTTNjj9fLkVDumKDQ%3D"),
            ("HMAC-SHA512", "gbSGr0cqZ%2BbxIi6JpCeTp5BPrjvRt7HvKECAxAw2uu8CQNSBJdRLE2AHBGZPasa8r5IMTD%2BMo9rBHQI%2FxzNxiw%3D%3D"),
        ] {
            let header = format!(
                "OAuth oauth_consumer_key=\"key\", oauth_token=\"tok\", oauth_signature_method=\"{method}\", \
                 oauth_timestamp=\"137131202\", oauth_nonce=\"abc\", oauth_version=\"1.0\", \
                 oauth_signature=\"{signature}\""
            );
            let request = read(&Method::POST, "http://cloud.test/v3/x", &[], &header).unwrap();
            assert!(request.verify(&consumer, Some(&token)).is_ok(), "{method}");
            assert!(request.verify(&token, Some(&consumer)).is_err(), "{method}");
            assert!(request.verify(&consumer, None).is_err(), "{method}");
        }
    }

    /// The example of RFC 5849, 1.2: the last request, for the photo.
    const PHOTO: &str = "OAuth realm=\"Photos\", oauth_consumer_key=\"dpf43f3p2l4k3l03\", oauth_token=\"nnch734d00sl2jdk\", \
         oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"137131202\", oauth_nonce=\"chapoH\", \
         oauth_signature=\"MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D\"";

    #[test]
    fn the_example_of_the_specification() {
        let query = [("file", "vacation.jpg"), ("size", "original")];
        let request = read(&Method::GET, "http://photos.example.net/photos", &query, PHOTO).unwrap();
        let (consumer, token) = (Secret::new("kd94hf93k423kf44".to_owned()), Secret::new("pfkkdhi9sl3r4s00".to_owned()));
        assert_eq!((request.consumer.as_str(), request.token().unwrap()), ("dpf43f3p2l4k3l03", "nnch734d00sl2jdk"));
        request.verify(&consumer, Some(&token)).unwrap();
        assert!(request.verify(&consumer, None).is_err());
        for altered in [
            read(&Method::POST, "http://photos.example.net/photos", &query, PHOTO),
            read(&Method::GET, "http://photos.example.net/photo", &query, PHOTO),
            read(&Method::GET, "https://photos.example.net/photos", &query, PHOTO),
            read(&Method::GET, "http://photos.example.net/photos", &query[..1], PHOTO),
            read(&Method::GET, "http://photos.example.net/photos", &query, &PHOTO.replace("chapoH", "chapoh")),
        ] {
            assert!(altered.unwrap().verify(&consumer, Some(&token)).is_err());
        }
        let same = read(&Method::GET, "HTTP://Photos.Example.net:80/photos", &query, PHOTO);
        same.unwrap().verify(&consumer, Some(&token)).unwrap();
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        for header in [
            "",
            "OAuth",
            "Basic abc",
            "OAuth oauth_nonce",
            "OAuth oauth_nonce=x",
            &PHOTO.replace("HMAC-SHA1", "RSA-SHA1"),
            &PHOTO.replace("137131202", "-1"),
            &PHOTO.replace("137131202", "now"),
            &PHOTO.replace("chapoH", ""),
            &PHOTO.replace("oauth_token", "oauth_nonce"),
            &format!("{PHOTO}, oauth_version=\"2.0\""),
        ] {
            let read = read(&Method::GET, "http://photos.example.net/photos", &[], header);
            assert!(matches!(read, Err(Unreadable(_))), "{header}");
        }
    }
}
