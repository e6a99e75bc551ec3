// SPDX-License-Identifier: Apache-2.0
//! An object that comes in parts, one request each: S3's way for what is large. Its parts count in the bytes of its container
//! until they are the object; then their pieces become the object's, and no byte moves.

pub mod table;
mod waiting;

use types::Timestamp;
pub use waiting::Abandoner;

use crate::object::Words;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::without_routes("multipart").tables(&[store::Step {
    number: 10,
    name: "multipart",
    sql: include_str!("../../migrations/0010_multipart.sql"),
}]);

/// A part, the last one aside, is not smaller.
pub const SMALLEST_PART: u64 = 5 << 20;
/// Uploads of one container that wait for parts.
pub const MOST_UPLOADS: i64 = 1000;

#[derive(Debug, Clone)]
pub struct Upload {
    pub id: String,
    pub name: String,
    pub content_type: String,
    pub words: Words,
    pub begun_at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct Part {
    pub number: u32,
    pub data: String,
    pub size: u64,
    pub md5: String,
    pub put_at: Timestamp,
}

/// Why parts do not become an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    Bad,
    Order,
    Small,
}

/// The parts that were named, in their order.
pub fn choose(parts: &[Part], named: &[(u32, String)]) -> Result<Vec<Part>, Unfit> {
    if named.is_empty() {
        return Err(Unfit::Bad);
    }
    if named.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(Unfit::Order);
    }
    let mut chosen = Vec::with_capacity(named.len());
    for (number, etag) in named {
        let at = parts.binary_search_by_key(number, |part| part.number).map_err(|_| Unfit::Bad)?;
        let part = parts[at].clone();
        if part.md5 != etag.trim_matches('"') {
            return Err(Unfit::Bad);
        }
        chosen.push(part);
    }
    let but_the_last = &chosen[..chosen.len() - 1];
    if but_the_last.iter().any(|part| part.size < SMALLEST_PART) { Err(Unfit::Small) } else { Ok(chosen) }
}

/// `MD5-N`: of the MD5s of all parts.
pub fn etag(parts: &[Part]) -> String {
    use md5::{Digest, Md5};
    let mut sum = Md5::new();
    parts.iter().for_each(|part| sum.update(hex::decode(&part.md5).unwrap_or_default()));
    format!("{}-{}", hex::encode(sum.finalize()), parts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u32, size: u64, md5: &str) -> Part {
        Part { number, data: String::new(), size, md5: md5.into(), put_at: Timestamp(0) }
    }

    #[test]
    fn only_parts_that_are_there_in_their_order_and_large_enough_become_an_object() {
        let parts = [part(1, SMALLEST_PART, "a"), part(3, 10, "c"), part(7, SMALLEST_PART, "g")];
        let named = |list: &[(u32, &str)]| list.iter().map(|(number, etag)| (*number, (*etag).to_owned())).collect::<Vec<_>>();
        let numbers = |list| choose(&parts, &named(list)).map(|parts| parts.iter().map(|part| part.number).collect::<Vec<_>>());
        assert_eq!(numbers(&[(1, "a"), (3, "\"c\"")]), Ok(vec![1, 3]));
        assert_eq!(numbers(&[(1, "a"), (3, "c"), (7, "g")]), Err(Unfit::Small));
        assert_eq!(numbers(&[(7, "g"), (1, "a")]), Err(Unfit::Order));
        assert_eq!(numbers(&[(1, "a"), (1, "a")]), Err(Unfit::Order));
        assert_eq!(numbers(&[(2, "b")]), Err(Unfit::Bad));
        assert_eq!(numbers(&[(1, "x")]), Err(Unfit::Bad));
        assert_eq!(numbers(&[]), Err(Unfit::Bad));
    }

    #[test]
    fn the_tag_is_that_of_the_parts_tags() {
        let parts = [part(1, 1, "0cc175b9c0f1b6a831c399e269772661"), part(2, 1, "92eb5ffee6ae2fec3ad71c777531578f")];
        assert_eq!(etag(&parts), "96a5d5ee2e9ec9ddf0f0f51f3b8a5c19-2".replace("96a5d5ee2e9ec9ddf0f0f51f3b8a5c19", &known()));
    }

    /// The MD5 of both MD5s, as bytes.
    fn known() -> String {
        use md5::{Digest, Md5};
        let both = [Md5::digest(b"a"), Md5::digest(b"b")].concat();
        hex::encode(Md5::digest(both))
    }
}
