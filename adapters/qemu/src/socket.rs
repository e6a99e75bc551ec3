// SPDX-License-Identifier: Apache-2.0
//! Sockets in folders of any depth. The kernel takes a path of 107 bytes; whoever has the folder open needs only the name.
//!
//! QEMU itself is told of sockets from where it stands, which is its run directory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

/// Listens there. What has the name must be gone.
pub fn listen(socket: &Path) -> io::Result<UnixListener> {
    let (_folder, short) = shortened(socket)?;
    UnixListener::bind(short)
}

pub async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let (_folder, short) = shortened(socket)?;
    UnixStream::connect(short).await
}

/// A path that is good as long as the folder is open.
fn shortened(socket: &Path) -> io::Result<(File, PathBuf)> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is no name of a socket", socket.display())));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let open = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(folder)?;
    let short = Path::new("/proc/self/fd").join(open.as_raw_fd().to_string()).join(name);
    Ok((open, short))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_found_however_deep_its_folder_is() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120)).join("e".repeat(200));
        std::fs::create_dir_all(&deep).unwrap();
        let socket = deep.join("socket");
        let listener = listen(&socket).unwrap();
        assert!(socket.exists());
        connect(&socket).await.unwrap();
        listener.accept().unwrap();
        assert_eq!(listen(&socket).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(connect(&deep.join("other")).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
