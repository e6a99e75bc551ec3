// SPDX-License-Identifier: Apache-2.0
//! The fields of a form that stand before its files.

use std::{collections::BTreeMap, io};

use bytes::Bytes;
use futures_util::Stream;

use super::parts::{Part, Parts};
use crate::Error;

/// Fields of one form, and bytes of one of them.
const MOST: usize = 100;
const LONGEST: usize = 4096;

#[derive(Default)]
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub async fn add<S>(&mut self, parts: &mut Parts<S>, part: &Part) -> Result<(), Error>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let mut value = Vec::new();
        while let Some(bytes) = parts.bytes().await.map_err(Error::BrokenOff)? {
            value.extend_from_slice(&bytes);
            if value.len() > LONGEST {
                return Err(Error::Invalid(format!("A field of a form has {LONGEST} bytes at most.")));
            }
        }
        let value = String::from_utf8(value).map_err(|_| Error::invalid("A field of the form is not UTF-8."))?;
        if self.0.len() >= MOST {
            return Err(Error::Invalid(format!("A form has {MOST} fields at most.")));
        }
        self.0.insert(part.name.to_ascii_lowercase(), value);
        Ok(())
    }
}
