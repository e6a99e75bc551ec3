// SPDX-License-Identifier: Apache-2.0
//! A machine's serial line, which all who have it open share: QEMU serves one connection at a time.
//!
//! What the guest says goes to each of them; one who does not take it in time misses some, and holds up nobody. What they type
//! goes to the guest in the order in which it comes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    net::UnixStream,
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
};
use uuid::Uuid;

use crate::{Result, error::Doing, machines::At};

const PIECE: usize = 4096;
/// Pieces that one who is slow may be behind.
const BEHIND: usize = 256;
const TYPED: usize = 4;

/// The lines that somebody has open.
#[derive(Default)]
pub(super) struct Lines {
    open: Mutex<HashMap<Uuid, Line>>,
}

#[derive(Clone)]
struct Line {
    said: broadcast::Sender<Bytes>,
    /// Weak, so that a line ends with the last of its viewers.
    typed: mpsc::WeakSender<Bytes>,
}

impl Lines {
    /// One more viewer.
    pub async fn join(self: &Arc<Self>, machine: &At) -> Result<DuplexStream> {
        if let Some(viewer) = self.join_open(machine.id) {
            return Ok(viewer);
        }
        let socket = machine.run_dir.serial_socket();
        let stream =
            qemu::socket::connect(&socket).await.doing(|| "open the serial line: the machine has no process now".to_owned())?;
        // Another may have been quicker. His connection is served, and ours is not.
        if let Some(viewer) = self.join_open(machine.id) {
            return Ok(viewer);
        }
        let (said, (typed, typing)) = (broadcast::channel(BEHIND).0, mpsc::channel(TYPED));
        let line = Line { said: said.clone(), typed: typed.downgrade() };
        self.lock().insert(machine.id, line);
        let viewer = view(&said, typed);
        let (lines, id) = (self.clone(), machine.id);
        tokio::spawn(async move {
            hold(stream, said, typing).await;
            lines.lock().retain(|other, line| *other != id || line.typed.upgrade().is_some_and(|typed| !typed.is_closed()));
        });
        Ok(viewer)
    }

    fn join_open(&self, id: Uuid) -> Option<DuplexStream> {
        let line = self.lock().get(&id)?.clone();
        let typed = line.typed.upgrade().filter(|typed| !typed.is_closed())?;
        Some(view(&line.said, typed))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Line>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line itself, until the machine ends or nobody has it open any more.
async fn hold(stream: UnixStream, said: broadcast::Sender<Bytes>, mut typing: mpsc::Receiver<Bytes>) {
    let (mut read, mut write) = stream.into_split();
    let hear = async {
        let mut piece = vec![0; PIECE];
        while let Ok(count @ 1..) = read.read(&mut piece).await {
            let _ = said.send(Bytes::copy_from_slice(&piece[..count]));
        }
    };
    let say = async {
        while let Some(piece) = typing.recv().await {
            if write.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = hear => {}
        () = say => {}
    }
}

/// A viewer's end of the line. It ends with the line.
fn view(said: &broadcast::Sender<Bytes>, typed: mpsc::Sender<Bytes>) -> DuplexStream {
    let mut heard = said.subscribe();
    let (theirs, ours) = duplex(2 * PIECE);
    tokio::spawn(async move {
        let (mut read, mut write) = split(ours);
        let show = async {
            loop {
                match heard.recv().await {
                    Ok(piece) => {
                        if write.write_all(&piece).await.is_err() {
                            return;
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        };
        let take = async {
            let mut piece = vec![0; PIECE];
            while let Ok(count @ 1..) = read.read(&mut piece).await {
                if typed.send(Bytes::copy_from_slice(&piece[..count])).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = show => {}
            () = take => {}
        }
    });
    theirs
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use qemu::RunDir;
    use tokio::{net::UnixListener, time::timeout};

    use super::*;

    async fn hears(viewer: &mut DuplexStream, text: &str) {
        let mut heard = vec![0; text.len()];
        timeout(Duration::from_secs(10), viewer.read_exact(&mut heard)).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), text);
    }

    #[tokio::test]
    async fn all_who_have_a_line_open_see_and_type_on_the_same_and_the_last_closes_it() {
        let dir = tempfile::tempdir().unwrap();
        let machine = At { id: Uuid::new_v4(), run_dir: RunDir::new(dir.path()), uid: 0 };
        let listener = UnixListener::bind(machine.run_dir.serial_socket()).unwrap();
        let lines = Arc::new(Lines::default());
        let mut one = lines.join(&machine).await.unwrap();
        let (mut guest, _) = listener.accept().await.unwrap();
        let mut two = lines.join(&machine).await.unwrap();
        guest.write_all(b"login: ").await.unwrap();
        hears(&mut one, "login: ").await;
        hears(&mut two, "login: ").await;
        one.write_all(b"root").await.unwrap();
        let mut typed = [0; 4];
        guest.read_exact(&mut typed).await.unwrap();
        assert_eq!(&typed, b"root");
        // One who does not read holds up nobody.
        let flood = vec![b'x'; 4 << 20];
        let said = tokio::spawn(async move {
            guest.write_all(&flood).await.unwrap();
            guest
        });
        let mut left = 4 << 20;
        let mut piece = vec![0; 65536];
        while left > 0 {
            let read = timeout(Duration::from_secs(20), one.read(&mut piece)).await;
            // It may miss some of such a flood, too, and never waits for the other.
            match read {
                Ok(Ok(count @ 1..)) => left -= count.min(left),
                _ => break,
            }
            if said.is_finished() {
                break;
            }
        }
        let mut guest = timeout(Duration::from_secs(20), said).await.unwrap().unwrap();
        drop((one, two));
        assert_eq!(timeout(Duration::from_secs(10), guest.read(&mut piece)).await.unwrap().unwrap(), 0);
        // And it can be opened anew.
        let mut three = lines.join(&machine).await.unwrap();
        let (mut guest, _) = listener.accept().await.unwrap();
        guest.write_all(b"again").await.unwrap();
        hears(&mut three, "again").await;
        drop(guest);
        assert_eq!(timeout(Duration::from_secs(10), three.read(&mut piece)).await.unwrap().unwrap(), 0);
    }
}
