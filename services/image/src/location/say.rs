// SPDX-License-Identifier: Apache-2.0
//! Reads one location of a patch, and what it says of the data.

use api::Fault;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{LONGEST_METADATA, LONGEST_URL, Said};
use crate::image::{Row, Status};

/// One location as a tenant wrote it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub url: String,
    pub metadata: Map<String, Value>,
    pub said: Option<Said>,
}

#[derive(Deserialize)]
struct Location {
    url: String,
    metadata: Map<String, Value>,
    validation_data: Option<ValidationData>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidationData {
    checksum: Option<String>,
    os_hash_algo: String,
    os_hash_value: String,
}

impl Asked {
    pub fn read(value: Value) -> Result<Self, Fault> {
        let unfit = |why: &str| Fault::bad_request(format!("Provided object does not match schema 'image': {why}."));
        let location = Location::deserialize(&value).map_err(|error| unfit(&format!("locations: {error}")))?;
        let Location { url, mut metadata, validation_data } = location;
        if url.len() > LONGEST_URL {
            return Err(unfit(&format!("the url of a location has at most {LONGEST_URL} characters")));
        }
        if Value::from(metadata.clone()).to_string().len() > LONGEST_METADATA {
            return Err(unfit(&format!("the metadata of a location has at most {LONGEST_METADATA} bytes")));
        }
        // Which store it is, is for the cloud to say.
        metadata.remove("store");
        let said = validation_data.map(|data| Said {
            checksum: data.checksum,
            algorithm: Some(data.os_hash_algo),
            value: Some(data.os_hash_value),
        });
        Ok(Self { url, metadata, said })
    }

    /// An image that waits for its data takes what is said of it; of one that has it, nothing new can be said.
    pub fn check_said(&self, image: &Row) -> Result<(), Fault> {
        let Some(said) = &self.said else { return Ok(()) };
        if image.status == Status::Queued {
            return check_well_formed(said);
        }
        let shown = Said::of(image);
        let pairs = [
            ("checksum", &said.checksum, &shown.checksum),
            ("os_hash_algo", &said.algorithm, &shown.algorithm),
            ("os_hash_value", &said.value, &shown.value),
        ];
        for (name, said, shown) in pairs {
            match (said, shown) {
                (None, _) => {}
                (Some(said), Some(shown)) if said == shown => {}
                (Some(_), Some(_)) => return Err(Fault::conflict(format!("{name} is already set with a different value."))),
                (Some(_), None) => {
                    return Err(Fault::conflict(format!("A value for {name} may only be given while the image is queued.")));
                }
            }
        }
        Ok(())
    }
}

fn check_well_formed(said: &Said) -> Result<(), Fault> {
    let digits = |text: &Option<String>, most: usize| {
        text.as_ref().is_none_or(|text| text.len() == most && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if said.algorithm.as_deref() != Some("sha512") {
        let got = said.algorithm.as_deref().unwrap_or_default();
        return Err(Fault::conflict(format!("os_hash_algo must be sha512, not {got}.")));
    }
    if !digits(&said.checksum, 32) {
        return Err(Fault::conflict("checksum is an md5: it has 32 hex digits."));
    }
    if !digits(&said.value, 128) {
        return Err(Fault::conflict("os_hash_value is a sha512: it has 128 hex digits."));
    }
    Ok(())
}
