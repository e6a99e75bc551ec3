// SPDX-License-Identifier: Apache-2.0
//! A machine's screen: QEMU's VNC socket, as it is.

use tokio::net::UnixStream;

use crate::{Error, Result, error::Doing, machines::At};

/// Connects to the machine's own process and to nobody else: the folder of this socket is its user's, so a QEMU that was taken over
/// could put a link to another socket of the host there, which we, being root, could open for it.
///
/// Invariant: a screen is never another's socket (test: `a_socket_that_another_listens_on_is_no_screen`).
pub(super) async fn open(machine: &At) -> Result<UnixStream> {
    let socket = machine.run_dir.vnc_socket();
    let stream = qemu::socket::connect(&socket).await.doing(|| "open the screen: the machine has no process now".to_owned())?;
    let listener = stream.peer_cred().doing(|| "see whose screen it is".to_owned())?;
    if listener.uid() != machine.uid {
        tracing::error!(server = %machine.id, uid = listener.uid(), "the machine's screen is another's socket");
        return Err(Error::Unfit("the screen of this machine is not its own".into()));
    }
    Ok(stream)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use qemu::RunDir;
    use tokio::net::UnixListener;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_socket_that_another_listens_on_is_no_screen() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::new(dir.path());
        std::fs::create_dir(run_dir.vnc_socket().parent().unwrap()).unwrap();
        let other = dir.path().join("another");
        let _listener = UnixListener::bind(&other).unwrap();
        std::os::unix::fs::symlink(&other, run_dir.vnc_socket()).unwrap();
        let ours = nix::unistd::getuid().as_raw();
        let at = |uid| At { id: Uuid::nil(), run_dir: run_dir.clone(), uid };
        assert!(open(&at(ours)).await.is_ok());
        let refused = open(&at(ours + 1)).await.unwrap_err().chain();
        assert!(refused.contains("not its own"), "{refused}");
        std::fs::remove_file(&other).unwrap();
        let missing = open(&at(ours)).await.unwrap_err().chain();
        assert!(missing.contains("no process"), "{missing}");
    }
}
