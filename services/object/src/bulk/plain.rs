// SPDX-License-Identifier: Apache-2.0
//! An archive without its compression. Little is unpacked at once: a body that becomes a thousand times as much fills no memory.

use std::io::{self, Write};

use bounds::Threads;
use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use futures_util::{Stream, StreamExt, stream};

/// Bytes that are unpacked at once; what comes of them is at most some megabytes.
const AT_ONCE: usize = 4 << 10;

struct Unpacking<S> {
    chunks: S,
    packed: BytesMut,
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
    owner: String,
}

pub fn gunzip<S>(owner: &str, chunks: S) -> impl Stream<Item = io::Result<Bytes>> + Send + use<S>
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    let decoder = Some(MultiGzDecoder::new(Vec::new()));
    let state = Unpacking { chunks, packed: BytesMut::new(), decoder, owner: owner.to_owned() };
    stream::try_unfold(state, |mut state| async move {
        loop {
            if state.packed.is_empty() {
                match state.chunks.next().await.transpose()? {
                    Some(chunk) => state.packed.extend_from_slice(&chunk),
                    None => return Ok(state.end()?.map(|bytes| (bytes, state))),
                }
            }
            let bytes = state.step().await?;
            if !bytes.is_empty() {
                return Ok(Some((bytes, state)));
            }
        }
    })
}

impl<S> Unpacking<S> {
    async fn step(&mut self) -> io::Result<Bytes> {
        let packed = self.packed.split_to(self.packed.len().min(AT_ONCE));
        let mut decoder = self.decoder.take().ok_or_else(|| io::Error::other("unpacking broke off"))?;
        let work = move || {
            let written = decoder.write_all(&packed);
            let bytes = std::mem::take(decoder.get_mut());
            (written.map(|()| bytes), decoder)
        };
        let (bytes, decoder) =
            Threads::for_bytes().run(&self.owner, work).await.map_err(|lost| io::Error::other(lost.to_string()))?;
        self.decoder = Some(decoder);
        bytes.map(Bytes::from).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// What was left in the decoder; an archive that is cut off is an error.
    fn end(&mut self) -> io::Result<Option<Bytes>> {
        let Some(decoder) = self.decoder.take() else { return Ok(None) };
        let bytes = decoder.finish().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Some(Bytes::from(bytes)).filter(|bytes| !bytes.is_empty()))
    }
}
