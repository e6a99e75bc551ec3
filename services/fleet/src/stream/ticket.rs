// SPDX-License-Identifier: Apache-2.0
//! Tickets: a stream's name, sealed for one node with a key that no node has.
//!
//! Nothing is kept of them: the same stream has the same ticket at every start and at every controller, and whether the stream
//! is still wanted its room says when it is opened.
//!
//! Invariant: a ticket opens nothing to another node, in another direction, or when a letter of it is changed (test:
//! `a_ticket_is_for_one_node_and_one_stream`).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contracts::node::{Stream, Ticket};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use types::NodeId;

pub(crate) struct Tickets {
    key: Hmac<Sha256>,
}

impl Tickets {
    pub fn new(key: [u8; 32]) -> Self {
        Self { key: Hmac::new_from_slice(&key).expect("HMAC takes keys of any length") }
    }

    pub fn ticket(&self, node: &NodeId, stream: &Stream) -> Ticket {
        let name = serde_json::to_vec(stream).unwrap_or_default();
        let seal = self.sealed(node, &name).finalize().into_bytes();
        Ticket::new(format!("{}.{}", URL_SAFE_NO_PAD.encode(&name), URL_SAFE_NO_PAD.encode(seal)))
    }

    /// The stream that this word opens to this node.
    pub fn open(&self, node: &NodeId, word: &str) -> Option<Stream> {
        let (name, seal) = word.split_once('.')?;
        let (name, seal) = (URL_SAFE_NO_PAD.decode(name).ok()?, URL_SAFE_NO_PAD.decode(seal).ok()?);
        self.sealed(node, &name).verify_slice(&seal).ok()?;
        serde_json::from_slice(&name).ok()
    }

    fn sealed(&self, node: &NodeId, name: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(node.as_str().as_bytes());
        // No node's id has it.
        mac.update(&[0]);
        mac.update(name);
        mac
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use contracts::node::Transfer;

    use super::*;

    #[test]
    fn a_ticket_is_for_one_node_and_one_stream() {
        let tickets = Tickets::new([7; 32]);
        let (one, two) = (NodeId::from("one"), NodeId::from("two"));
        let transfer = Transfer { server_id: "s".into(), of: "o".into() };
        let (out, into) = (Stream::DiskOut { transfer: transfer.clone() }, Stream::DiskIn { transfer });
        let ticket = tickets.ticket(&one, &out);
        assert_eq!(tickets.ticket(&one, &out), ticket);
        assert_eq!(tickets.open(&one, ticket.reveal()), Some(out.clone()));
        assert_eq!(tickets.open(&two, ticket.reveal()), None);
        assert_eq!(Tickets::new([8; 32]).open(&one, ticket.reveal()), None);
        assert_ne!(tickets.ticket(&one, &into), ticket);
        // The name of another stream under this one's seal.
        let other = tickets.ticket(&two, &into);
        let (name, seal) = (other.reveal().split_once('.').unwrap().0, ticket.reveal().split_once('.').unwrap().1);
        assert_eq!(tickets.open(&one, &format!("{name}.{seal}")), None);
        for position in 0..ticket.reveal().len() {
            let mut changed = ticket.reveal().as_bytes().to_vec();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            assert_eq!(tickets.open(&one, std::str::from_utf8(&changed).unwrap()), None, "letter {position}");
        }
        assert_eq!(tickets.open(&one, ""), None);
    }
}
