// SPDX-License-Identifier: Apache-2.0
//! The handful of msgpack forms that Keystone's payloads are made of.
//!
//! Ids that are 32 hex digits travel as 16 bytes; where an id may also be something else, a flag stands before it.

use rmp::{Marker, decode, encode};
use types::Timestamp;

use super::{AuditId, BadPayload};

/// Writing to memory does not fail.
type Written = Result<(), encode::ValueWriteError>;

/// A payload names a group for each that a federated user is in; more than this nobody is mapped to.
const MOST_IDS: u32 = 512;

/// The 16 bytes of an id in Keystone's own spelling. Another spelling of a UUID is a different id, and stays text.
fn packed(id: &str) -> Option<[u8; 16]> {
    let canonical = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let bytes = if canonical { hex::decode(id).ok()? } else { return None };
    bytes.try_into().ok()
}

pub fn write_bare_id(out: &mut Vec<u8>, id: &str) -> Written {
    match packed(id) {
        Some(bytes) => encode::write_bin(out, &bytes),
        None => encode::write_str(out, id),
    }
}

pub fn write_flagged_id(out: &mut Vec<u8>, id: &str) -> Written {
    encode::write_array_len(out, 2)?;
    encode::write_bool(out, packed(id).is_some()).map_err(encode::ValueWriteError::InvalidMarkerWrite)?;
    write_bare_id(out, id)
}

pub fn write_flagged_ids<'a>(out: &mut Vec<u8>, ids: impl ExactSizeIterator<Item = &'a str>) -> Written {
    encode::write_array_len(out, ids.len() as u32)?;
    ids.into_iter().try_for_each(|id| write_flagged_id(out, id))
}

/// An id that may be missing: `(False, None)`.
pub fn write_optional_id(out: &mut Vec<u8>, id: Option<&str>) -> Written {
    let Some(id) = id else {
        encode::write_array_len(out, 2)?;
        encode::write_bool(out, false).map_err(encode::ValueWriteError::InvalidMarkerWrite)?;
        return encode::write_nil(out).map_err(encode::ValueWriteError::InvalidMarkerWrite);
    };
    write_flagged_id(out, id)
}

/// Text that only looks like an id: it is flagged as text whatever it is.
pub fn write_flagged_text(out: &mut Vec<u8>, text: &str) -> Written {
    encode::write_array_len(out, 2)?;
    encode::write_bool(out, false).map_err(encode::ValueWriteError::InvalidMarkerWrite)?;
    encode::write_str(out, text)
}

pub fn write_instant(out: &mut Vec<u8>, at: Timestamp) -> Written {
    encode::write_f64(out, at.micros() as f64 / 1e6)
}

pub fn write_audit_ids(out: &mut Vec<u8>, ids: &[AuditId]) -> Written {
    encode::write_array_len(out, ids.len() as u32)?;
    ids.iter().try_for_each(|id| encode::write_bin(out, &id.0))
}

/// Reads the same forms. Lengths are checked against what is there.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn array(&mut self) -> Result<u32, BadPayload> {
        decode::read_array_len(&mut self.0).map_err(|_| BadPayload::Malformed)
    }

    pub fn number(&mut self) -> Result<u64, BadPayload> {
        decode::read_int(&mut self.0).map_err(|_| BadPayload::Malformed)
    }

    pub fn instant(&mut self) -> Result<Timestamp, BadPayload> {
        let seconds = decode::read_f64(&mut self.0).map_err(|_| BadPayload::Malformed)?;
        if !(0.0..1e12).contains(&seconds) {
            return Err(BadPayload::Malformed);
        }
        Ok(Timestamp((seconds * 1e6).round() as i64))
    }

    pub fn text(&mut self) -> Result<String, BadPayload> {
        let length = decode::read_str_len(&mut self.0).map_err(|_| BadPayload::Malformed)?;
        let bytes = self.take(length)?;
        Ok(std::str::from_utf8(bytes).map_err(|_| BadPayload::Malformed)?.to_owned())
    }

    /// An id of a kind that is nearly always packed carries no flag: its msgpack type tells.
    pub fn bare_id(&mut self) -> Result<String, BadPayload> {
        let is_packed = self.next_is(Marker::Bin8);
        if is_packed { self.packed_id() } else { self.text() }
    }

    pub fn flagged_id(&mut self) -> Result<String, BadPayload> {
        self.optional_id()?.ok_or(BadPayload::Malformed)
    }

    pub fn optional_id(&mut self) -> Result<Option<String>, BadPayload> {
        if self.array()? != 2 {
            return Err(BadPayload::Malformed);
        }
        if decode::read_bool(&mut self.0).map_err(|_| BadPayload::Malformed)? {
            return self.packed_id().map(Some);
        }
        if self.next_is(Marker::Null) {
            self.take(1)?;
            return Ok(None);
        }
        self.text().map(Some)
    }

    pub fn flagged_ids(&mut self) -> Result<Vec<String>, BadPayload> {
        let count = self.array()?;
        if count > MOST_IDS {
            return Err(BadPayload::Malformed);
        }
        (0..count).map(|_| self.flagged_id()).collect()
    }

    pub fn audit_ids(&mut self) -> Result<Vec<AuditId>, BadPayload> {
        let count = self.array()?;
        if count > 8 {
            return Err(BadPayload::Malformed);
        }
        (0..count).map(|_| Ok(AuditId(self.bytes()?.try_into().map_err(|_| BadPayload::Malformed)?))).collect()
    }

    fn next_is(&self, marker: Marker) -> bool {
        self.0.first().is_some_and(|byte| Marker::from_u8(*byte) == marker)
    }

    fn packed_id(&mut self) -> Result<String, BadPayload> {
        let bytes = self.bytes()?;
        if bytes.len() == 16 { Ok(hex::encode(bytes)) } else { Err(BadPayload::Malformed) }
    }

    fn bytes(&mut self) -> Result<&'a [u8], BadPayload> {
        let length = decode::read_bin_len(&mut self.0).map_err(|_| BadPayload::Malformed)?;
        self.take(length)
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], BadPayload> {
        let (taken, rest) = self.0.split_at_checked(length as usize).ok_or(BadPayload::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }
}
