// SPDX-License-Identifier: Apache-2.0
//! What an authentication receipt carries: the half of a login that needs more than one method, as Keystone packs it.
//!
//! It is sealed with the same keys as tokens. Neither can be taken for the other: a token begins with a number.

use rmp::encode;
use types::{Timestamp, UserId};

use super::{
    BadPayload, Methods,
    wire::{Reader, write_flagged_id, write_instant},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptPayload {
    pub user: UserId,
    pub methods: Methods,
    pub expires_at: Timestamp,
}

impl ReceiptPayload {
    pub fn pack(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        self.write(&mut out).expect("writing to memory does not fail");
        out
    }

    pub fn unpack(bytes: &[u8]) -> Result<Self, BadPayload> {
        let mut reader = Reader(bytes);
        if reader.array()? != 3 {
            return Err(BadPayload::Malformed);
        }
        let user = UserId::new(reader.flagged_id()?);
        let methods = Methods::from_bits(reader.number()?).ok_or(BadPayload::Malformed)?;
        let expires_at = reader.instant()?;
        if reader.0.is_empty() { Ok(Self { user, methods, expires_at }) } else { Err(BadPayload::Malformed) }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), encode::ValueWriteError> {
        encode::write_array_len(out, 3)?;
        write_flagged_id(out, self.user.as_str())?;
        encode::write_uint(out, self.methods.bits())?;
        write_instant(out, self.expires_at)
    }
}
