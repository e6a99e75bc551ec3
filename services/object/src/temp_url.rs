// SPDX-License-Identifier: Apache-2.0
//! Who asks for an object, where the address may be signed.

use api::{Cx, Query};
use http::{HeaderMap, HeaderValue, header};
use store::Tx;

use crate::{
    Error, Objects,
    account::{self, table as accounts},
    container::table as containers,
    grant::{Key, Signature, SignatureWords, Who},
    place::Place,
};

/// What an answer to a signed address says of how it is kept.
pub struct Signed {
    filename: Option<String>,
    inline: bool,
    expires: String,
}

/// Who asks; with a signature, if the address has one. One that is not good is refused, whoever brings it.
pub async fn who(room: &Objects, cx: &Cx, place: &Place) -> Result<(Who, Option<Signed>), Error> {
    let query = cx.query();
    let (signature, expires) = (query.get("temp_url_sig"), query.get("temp_url_expires"));
    let (signature, expires) = match (signature, expires) {
        (None, None) => return Ok((Who::of(cx), None)),
        (Some(signature), Some(expires)) => (signature, expires),
        _ => return Err(Error::Unauthorized),
    };
    // An address that is good from some networks only is not offered here, so none is.
    if query.get("temp_url_ip_range").is_some() {
        return Err(Error::Unauthorized);
    }
    let at = place.clone();
    let keys = room.store.read(move |tx| keys(tx, &at)).await?;
    let words = SignatureWords { signature, expires, prefix: query.get("temp_url_prefix") };
    let good = Signature::check(&words, &cx.method, place, &keys);
    let signature = good.ok_or(Error::Unauthorized)?;
    Ok((Who::nobody().with_signature(signature), Some(Signed::of(query, expires))))
}

pub fn keys(tx: &mut Tx, place: &Place) -> Result<Vec<Key>, Error> {
    let mut keys = Vec::new();
    let Some(project) = &place.project else { return Ok(keys) };
    if let Some(account) = accounts::find(tx, project)? {
        let of_account = account::keys(&account.metadata);
        keys.extend(of_account.map(|key| Key { secret: key.to_owned(), container: None }));
    }
    if let Some(container) = containers::find(tx, place)? {
        let name = &container.name;
        let of_container = account::keys(&container.metadata);
        keys.extend(of_container.map(|key| Key { secret: key.to_owned(), container: Some(name.clone()) }));
    }
    Ok(keys)
}

impl Signed {
    fn of(query: &Query, expires: &str) -> Self {
        let filename = query.get("filename").filter(|name| !name.is_empty()).map(str::to_owned);
        Self { filename, inline: query.get("inline").is_some(), expires: expires.to_owned() }
    }

    /// A browser that comes by a signed address keeps what it gets under its name, and shows it only if it shall.
    pub fn mark(&self, object: &str, headers: &mut HeaderMap) {
        let kept = headers.get(header::CONTENT_DISPOSITION).cloned();
        let disposition = match (&self.filename, self.inline) {
            (None, true) => Some("inline".to_owned()),
            (Some(name), true) => Some(format!("inline; {}", named(name))),
            (Some(name), false) => Some(format!("attachment; {}", named(name))),
            (None, false) if kept.is_some() => None,
            (None, false) => {
                Some(format!("attachment; {}", named(object.trim_end_matches('/').rsplit('/').next().unwrap_or(object))))
            }
        };
        if let Some(value) = disposition.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
        let expires = self.expires.parse::<i64>().ok().map(types::Timestamp::from_seconds);
        if let Some(value) = expires.and_then(|at| HeaderValue::from_str(&crate::stamp::date(at)).ok()) {
            headers.insert(header::EXPIRES, value);
        }
    }
}

/// Both forms, for old and for new browsers. Nothing in a name gets out of the quotes.
fn named(name: &str) -> String {
    let escaped = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ' { c } else { '_' }).collect();
    format!("filename=\"{plain}\"; filename*=UTF-8''{escaped}")
}
