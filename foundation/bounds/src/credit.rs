// SPDX-License-Identifier: Apache-2.0
//! Conversations over a connection that others share.
//!
//! What nobody takes fills the windows of such a connection, and then nobody else gets through: one console whose viewer does not
//! read would hold up all that a node has to say. So neither end has more on its way than the other has said that it took.
//!
//! Pieces are told apart by a head of four bytes: how many bytes follow, or, with the first bit set, how many were taken.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Semaphore, mpsc},
};

/// Bytes on their way in one direction.
const MOST: usize = 128 << 10;
const LONGEST_PIECE: usize = 16 << 10;
const HEAD: usize = 4;
const TAKEN: u32 = 1 << 31;

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Data(Bytes),
    Taken(usize),
}

/// What came of a conversation and is no whole piece yet.
#[derive(Default)]
pub struct Credit {
    come: BytesMut,
}

impl Credit {
    fn feed(&mut self, bytes: &[u8]) {
        self.come.extend_from_slice(bytes);
    }

    fn next(&mut self) -> io::Result<Option<Piece>> {
        let Some(head) = self.come.first_chunk::<HEAD>() else { return Ok(None) };
        let head = u32::from_be_bytes(*head);
        let count = (head & !TAKEN) as usize;
        if count > MOST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a piece is longer than any may be"));
        }
        if head & TAKEN != 0 {
            let _ = self.come.split_to(HEAD);
            return Ok(Some(Piece::Taken(count)));
        }
        if self.come.len() < HEAD + count {
            return Ok(None);
        }
        let _ = self.come.split_to(HEAD);
        Ok(Some(Piece::Data(self.come.split_to(count).freeze())))
    }

    fn data(bytes: &[u8]) -> Bytes {
        let mut piece = BytesMut::with_capacity(HEAD + bytes.len());
        piece.put_u32(bytes.len() as u32);
        piece.put_slice(bytes);
        piece.freeze()
    }

    fn taken(count: usize) -> Bytes {
        Bytes::copy_from_slice(&(TAKEN | count as u32).to_be_bytes())
    }
}

/// Carries bytes between what is here and the other end of a conversation, until one of the two ends.
///
/// Invariant: of a conversation that is not read no more than its credit is on its way (test:
/// `what_nobody_reads_stops_at_the_credit_and_goes_on_when_it_is_read`).
pub async fn relay(
    here: impl AsyncRead + AsyncWrite,
    mut come: impl Stream<Item = io::Result<Bytes>> + Unpin,
    go: mpsc::Sender<Bytes>,
) -> io::Result<()> {
    let (mut read, mut write) = tokio::io::split(here);
    let credit = Semaphore::new(MOST);
    let outward = async {
        let mut piece = vec![0; LONGEST_PIECE];
        loop {
            // For one byte at least, and as many more as there are.
            credit.acquire().await.map_err(io::Error::other)?.forget();
            let more = credit.available_permits().min(LONGEST_PIECE - 1);
            let count = read.read(&mut piece[..=more]).await?;
            if count == 0 || go.send(Credit::data(&piece[..count])).await.is_err() {
                return Ok(());
            }
            // Nobody else takes any.
            if let Ok(spent) = credit.try_acquire_many(count as u32 - 1) {
                spent.forget();
            }
        }
    };
    let inward = async {
        let mut pieces = Credit::default();
        while let Some(bytes) = come.next().await {
            pieces.feed(&bytes?);
            while let Some(piece) = pieces.next()? {
                match piece {
                    Piece::Taken(count) => credit.add_permits(count.min(MOST.saturating_sub(credit.available_permits()))),
                    Piece::Data(data) => {
                        write.write_all(&data).await?;
                        if go.send(Credit::taken(data.len())).await.is_err() {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = outward => ended,
        ended = inward => ended,
        // Whatever the two wait for meanwhile.
        () = go.closed() => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use futures_util::stream;
    use tokio::{io::duplex, time::timeout};

    use super::*;

    fn pieces(from: mpsc::Receiver<Bytes>) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
        Box::pin(stream::unfold(from, |mut from| async { from.recv().await.map(|bytes| (Ok(bytes), from)) }))
    }

    #[test]
    fn pieces_are_told_apart_wherever_they_are_cut() {
        let whole = [Credit::data(b"abc"), Credit::taken(7), Credit::data(b""), Credit::data(b"d")].concat();
        for cut in 0..whole.len() {
            let (mut credit, mut found) = (Credit::default(), Vec::new());
            for part in [&whole[..cut], &whole[cut..]] {
                credit.feed(part);
                while let Some(piece) = credit.next().unwrap() {
                    found.push(piece);
                }
            }
            let data = |text: &'static str| Piece::Data(text.into());
            assert_eq!(found, [data("abc"), Piece::Taken(7), data(""), data("d")], "cut at {cut}");
        }
        let mut credit = Credit::default();
        credit.feed(&[0x7f, 0xff, 0xff, 0xff]);
        assert!(credit.next().is_err());
    }

    #[tokio::test]
    async fn what_nobody_reads_stops_at_the_credit_and_goes_on_when_it_is_read() {
        let ((here, one), (there, other)) = (duplex(1024), duplex(1024));
        let ((to_there, at_there), (to_here, at_here)) = (mpsc::channel(2), mpsc::channel(2));
        let ends = [tokio::spawn(relay(here, pieces(at_here), to_there)), tokio::spawn(relay(there, pieces(at_there), to_here))];
        let (mut one, mut other) = (one, other);
        let mut written = 0;
        while let Ok(wrote) = timeout(Duration::from_millis(300), one.write(&[7; 1000])).await {
            written += wrote.unwrap();
            assert!(written < 4 * MOST, "there is no end to it");
        }
        // The other direction flows meanwhile.
        other.write_all(b"back").await.unwrap();
        let mut back = [0; 4];
        one.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"back");
        let mut read = vec![0; written];
        other.read_exact(&mut read).await.unwrap();
        assert!(read.iter().all(|byte| *byte == 7));
        timeout(Duration::from_secs(10), one.write_all(&[8; 4 * 1024])).await.unwrap().unwrap();
        // What it wrote last is not read yet by the other, whose end ends all the same.
        drop(one);
        for end in ends {
            timeout(Duration::from_secs(10), end).await.unwrap().unwrap().unwrap();
        }
    }
}
