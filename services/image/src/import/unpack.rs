// SPDX-License-Identifier: Apache-2.0
//! Unpacks gzip as it streams by. A bomb goes off in small pieces, and is recognised before much of it has.

use std::{io::Write, mem};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_util::{StreamExt, stream::try_unfold};

use crate::{Error, stores::place::Chunks};

/// Packed bytes that are unpacked at once. Each may become a thousand, so that a piece becomes four MiB at most.
const PIECE: usize = 4096;
/// Unpacked bytes that are sent on at once, about.
const ENOUGH: usize = 512 << 10;

struct Unpacking {
    packed: Chunks,
    piece: Bytes,
    /// None once everything was read.
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
    unpacked: u64,
    most: u64,
}

/// What is in a gzip file, as long as that is at most `most` bytes.
pub fn unpack(packed: Chunks, most: u64) -> Chunks {
    let decoder = Some(MultiGzDecoder::new(Vec::new()));
    let unpacking = Unpacking { packed, piece: Bytes::new(), decoder, unpacked: 0, most };
    Box::pin(try_unfold(unpacking, |mut unpacking| async move {
        let next = unpacking.next().await?;
        Ok((!next.is_empty()).then_some((next, unpacking)))
    }))
}

impl Unpacking {
    /// Nothing at the end.
    async fn next(&mut self) -> Result<Bytes, Error> {
        let mut ready = Vec::new();
        while let Some(decoder) = self.decoder.as_mut().filter(|_| ready.len() < ENOUGH) {
            if self.piece.is_empty() {
                match self.packed.next().await {
                    Some(chunk) => self.piece = chunk?,
                    None => {
                        let finished = self.decoder.take().map(MultiGzDecoder::finish).transpose().map_err(broken)?;
                        ready.extend(finished.unwrap_or_default());
                    }
                }
            } else {
                let piece = self.piece.split_to(PIECE.min(self.piece.len()));
                decoder.write_all(&piece).map_err(broken)?;
                let unpacked = mem::take(decoder.get_mut());
                if ready.is_empty() { ready = unpacked } else { ready.extend(unpacked) }
            }
            if self.unpacked + ready.len() as u64 > self.most {
                let most = self.most;
                return Err(Error::Invalid(format!("The compressed disk is larger than the {most} bytes that are unpacked.")));
            }
        }
        self.unpacked += ready.len() as u64;
        Ok(ready.into())
    }
}

fn broken(cause: std::io::Error) -> Error {
    Error::Invalid(format!("The data cannot be unpacked as gzip: {cause}."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use flate2::{Compression, write::GzEncoder};
    use futures_util::{TryStreamExt, stream::iter};

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    async fn unpacked(packed: &[u8], chunk: usize, most: u64) -> Result<(Vec<u8>, usize), Error> {
        let chunks: Vec<_> = packed.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let pieces: Vec<Bytes> = unpack(Box::pin(iter(chunks)), most).try_collect().await?;
        Ok((pieces.concat(), pieces.iter().map(Bytes::len).max().unwrap_or_default()))
    }

    #[tokio::test]
    async fn what_was_packed_comes_out_in_pieces() {
        let content: Vec<u8> = (0..5_000_000u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        let two = [packed(&content), packed(b"and more")].concat();
        for chunk in [1000, 1 << 20] {
            assert!(unpacked(&two, chunk, 6_000_000).await.unwrap().0 == [&content[..], b"and more"].concat());
        }
        assert_eq!(unpacked(&packed(b""), 100, 10).await.unwrap().0, b"");
    }

    #[tokio::test]
    async fn a_bomb_goes_off_in_small_pieces_and_is_recognised() {
        let bomb = packed(&vec![0; 100 << 20]);
        assert!(bomb.len() < 1 << 20);
        let (all, largest) = unpacked(&bomb, bomb.len(), 100 << 20).await.unwrap();
        assert!(all.len() == 100 << 20 && largest < 8 << 20, "{largest}");
        let said = unpacked(&bomb, bomb.len(), (100 << 20) - 1).await.unwrap_err().to_string();
        assert!(said.contains("larger than the 104857599 bytes"), "{said}");
    }

    #[tokio::test]
    async fn what_is_broken_is_refused() {
        let whole = packed(&[7; 5000]);
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        let junk = [whole.clone(), b"and what is no gzip".to_vec()].concat();
        for broken in [&whole[..whole.len() - 1], &changed, &junk, b"no gzip", &whole[..5], b""] {
            let said = unpacked(broken, 100, 1 << 20).await.unwrap_err().to_string();
            assert!(said.starts_with("The data cannot be unpacked"), "{said}");
        }
    }
}
