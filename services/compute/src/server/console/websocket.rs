// SPDX-License-Identifier: Apache-2.0
//! The server's side of a websocket (RFC 6455) that carries bytes: a frame's content goes on as it comes, so that none is kept and
//! none is too long.

use std::{
    future::Future,
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, split},
    sync::Mutex,
    time::timeout,
};

/// Whoever is silent is asked so often whether he is there, and is gone if he did not answer by the next time.
const ASK_EVERY: Duration = Duration::from_secs(30);
const FAREWELL: Duration = Duration::from_secs(2);
const PIECE: usize = 16 << 10;
const LONGEST_CONTROL: u64 = 125;

const CONTINUED: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Why a conversation ends, for the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Farewell {
    pub code: u16,
    pub reason: &'static str,
}

impl Farewell {
    pub const OVER: Self = Self { code: 1000, reason: "The console has ended." };
    const WRONG: Self = Self { code: 1002, reason: "This is no frame of a websocket." };
}

/// The answer to a client's key.
pub(super) fn accept(key: &str) -> String {
    const OF_ALL: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(OF_ALL).finalize())
}

/// Carries bytes between a client and `pipe` until one of them ends, or it is `over`.
pub(super) async fn converse(
    client: impl AsyncRead + AsyncWrite,
    pipe: DuplexStream,
    over: impl Future<Output = Farewell>,
) -> io::Result<()> {
    let (read, write) = split(client);
    let (mut from, mut to) = split(pipe);
    let (mut read, write, heard) = (BufReader::new(read), Mutex::new(write), AtomicBool::new(true));
    let show = async {
        let mut piece = vec![0; PIECE];
        loop {
            match from.read(&mut piece).await? {
                0 => return Ok(Some(Farewell::OVER)),
                count => say(&write, BINARY, &piece[..count]).await?,
            }
        }
    };
    let ask = async {
        while heard.swap(false, Ordering::Relaxed) {
            tokio::time::sleep(ASK_EVERY).await;
            say(&write, PING, b"").await?;
            tokio::time::sleep(ASK_EVERY).await;
        }
        Err(io::ErrorKind::TimedOut.into())
    };
    let ended: io::Result<Option<Farewell>> = tokio::select! {
        ended = hear(&mut read, &write, &mut to, &heard) => ended,
        ended = show => ended,
        ended = ask => ended,
        farewell = over => Ok(Some(farewell)),
    };
    if let Some(Farewell { code, reason }) = ended? {
        let content = [&code.to_be_bytes(), reason.as_bytes()].concat();
        let _ = timeout(FAREWELL, say(&write, CLOSE, &content)).await;
    }
    let _ = timeout(FAREWELL, write.into_inner().shutdown()).await;
    Ok(())
}

/// What the client says, until he says goodbye, which is answered here, or something that he may not.
async fn hear(
    read: &mut (impl AsyncRead + Unpin),
    write: &Mutex<impl AsyncWrite + Unpin>,
    to: &mut (impl AsyncWrite + Unpin),
    heard: &AtomicBool,
) -> io::Result<Option<Farewell>> {
    // A message has begun whose last frame has not come.
    let mut is_open = false;
    loop {
        let mut head = [0; 2];
        read.read_exact(&mut head).await?;
        heard.store(true, Ordering::Relaxed);
        let (is_final, kind) = (head[0] & FINAL != 0, head[0] & 0x0f);
        let is_plain = head[0] & 0x70 == 0 && head[1] & MASKED != 0;
        let length = match head[1] & !MASKED {
            126 => u64::from(read.read_u16().await?),
            127 => read.read_u64().await?,
            length => u64::from(length),
        };
        let fits = match kind {
            CONTINUED => is_open,
            TEXT | BINARY => !is_open,
            CLOSE | PING | PONG => is_final && length <= LONGEST_CONTROL,
            _ => false,
        };
        if !is_plain || !fits {
            return Ok(Some(Farewell::WRONG));
        }
        let mut mask = [0; 4];
        read.read_exact(&mut mask).await?;
        if kind <= BINARY {
            is_open = !is_final;
            pass(read, to, length, mask).await?;
            continue;
        }
        let mut content = vec![0; length as usize];
        read.read_exact(&mut content).await?;
        unmask(&mut content, mask, 0);
        match kind {
            PING => say(write, PONG, &content).await?,
            CLOSE => {
                let _ = timeout(FAREWELL, say(write, CLOSE, content.get(..2).unwrap_or_default())).await;
                return Ok(None);
            }
            _ => {}
        }
    }
}

/// A frame's content.
async fn pass(
    read: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    length: u64,
    mask: [u8; 4],
) -> io::Result<()> {
    let mut piece = [0; 4096];
    let mut done = 0;
    while done < length {
        let most = usize::try_from(length - done).unwrap_or(usize::MAX).min(piece.len());
        let count = read.read(&mut piece[..most]).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        unmask(&mut piece[..count], mask, done);
        to.write_all(&piece[..count]).await?;
        done += count as u64;
    }
    Ok(())
}

fn unmask(content: &mut [u8], mask: [u8; 4], from: u64) {
    for (at, byte) in (from..).zip(content) {
        *byte ^= mask[(at % 4) as usize];
    }
}

async fn say(write: &Mutex<impl AsyncWrite + Unpin>, kind: u8, content: &[u8]) -> io::Result<()> {
    let mut frame = vec![FINAL | kind];
    match content.len() {
        length @ ..126 => frame.push(length as u8),
        length @ 126..=0xffff => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(content);
    let mut write = write.lock().await;
    write.write_all(&frame).await?;
    write.flush().await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// As a client sends it.
    fn frame(first: u8, content: &[u8]) -> Vec<u8> {
        let mask = [7, 2, 1, 9];
        let mut content = content.to_vec();
        unmask(&mut content, mask, 0);
        let mut frame = vec![first, MASKED | 126];
        frame.extend((content.len() as u16).to_be_bytes());
        frame.extend(mask);
        frame.extend(content);
        frame
    }

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn frames_become_bytes_and_bytes_frames_whatever_they_are_cut_into() {
        let ((mut client, server), (mut machine, pipe)) = (duplex(64), duplex(64));
        let talk = tokio::spawn(converse(server, pipe, std::future::pending()));
        let mut said = frame(BINARY, b"ab");
        said.extend(frame(FINAL | PING, b"there?"));
        said.extend(frame(CONTINUED, b"cd"));
        said.extend(frame(FINAL | CONTINUED, &[b'e'; 300]));
        said.extend(frame(FINAL | TEXT, b"f"));
        let whole = tokio::spawn(async move {
            for piece in said.chunks(5) {
                client.write_all(piece).await.unwrap();
            }
            client
        });
        let mut typed = vec![0; 4 + 300 + 1];
        machine.read_exact(&mut typed).await.unwrap();
        assert_eq!(typed, [&b"abcd"[..], &[b'e'; 300], b"f"].concat());
        let mut client = whole.await.unwrap();
        machine.write_all(b"seen").await.unwrap();
        let mut answers = [0; 8 + 6];
        client.read_exact(&mut answers).await.unwrap();
        assert_eq!(&answers, b"\x8a\x06there?\x82\x04seen");
        client.write_all(&frame(FINAL | CLOSE, &1000_u16.to_be_bytes())).await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [FINAL | CLOSE, 2, 3, 232]);
        talk.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_is_no_frame_ends_the_conversation_with_a_word() {
        let mut bare = frame(FINAL | BINARY, b"x");
        bare[1] &= !MASKED;
        let wrong = [
            bare,
            frame(FINAL | 0x40 | BINARY, b"x"),
            frame(FINAL | CONTINUED, b"x"),
            frame(FINAL | 3, b"x"),
            frame(PING, b"x"),
            frame(FINAL | PING, &[0; 126]),
        ];
        for said in wrong {
            let ((mut client, server), (_machine, pipe)) = (duplex(512), duplex(64));
            let talk = tokio::spawn(converse(server, pipe, std::future::pending()));
            client.write_all(&said).await.unwrap();
            let mut heard = Vec::new();
            client.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard[..4], [FINAL | CLOSE, heard.len() as u8 - 2, 3, 234], "{said:?}");
            talk.await.unwrap().unwrap();
        }
    }
}
