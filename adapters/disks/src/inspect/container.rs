// SPDX-License-Identifier: Apache-2.0
//! A judge of what has a disk inside: a tar of an appliance or of a container, a gzip file. Nothing here unpacks them;
//! what is looked at is that they are what they are said to be, from their first byte to their last.

use super::{Refusal, tar::Tar};

/// Named as the image API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// A tar whose first file is the appliance's description.
    Ova,
    /// A tar of layers, or of a whole file system.
    Docker,
    /// A gzip file.
    Compressed,
}

impl Container {
    /// None for those in which the data is the disk itself.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "ova" => Some(Self::Ova),
            "docker" => Some(Self::Docker),
            "compressed" => Some(Self::Compressed),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ova => "ova",
            Self::Docker => "docker",
            Self::Compressed => "compressed",
        }
    }

    fn is_not(self, what: &'static str) -> Refusal {
        Refusal::NotAContainer { container: self, what }
    }
}

/// Feed it chunks of any size, then ask it to [`finish`](Self::finish).
#[derive(Debug)]
pub struct ContainerInspector {
    container: Container,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Tar(Tar),
    Gzip { head: Vec<u8>, length: u64 },
}

impl ContainerInspector {
    pub fn new(container: Container) -> Self {
        let content = match container {
            Container::Ova => Content::Tar(Tar::beginning_with(".ovf")),
            Container::Docker => Content::Tar(Tar::default()),
            Container::Compressed => Content::Gzip { head: Vec::new(), length: 0 },
        };
        Self { container, content }
    }

    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let judged = match &mut self.content {
            Content::Tar(tar) => tar.feed(chunk),
            Content::Gzip { head, length } => {
                *length += chunk.len() as u64;
                let missing = GZIP_HEAD.saturating_sub(head.len()).min(chunk.len());
                head.extend_from_slice(&chunk[..missing]);
                if head.len() == GZIP_HEAD { judge_gzip(head) } else { Ok(()) }
            }
        };
        judged.map_err(|what| self.container.is_not(what))
    }

    pub fn finish(self) -> Result<(), Refusal> {
        let judged = match self.content {
            Content::Tar(tar) => tar.finish(),
            Content::Gzip { length, .. } if length >= GZIP_SHORTEST => Ok(()),
            Content::Gzip { .. } => Err("it ends before a gzip file can"),
        };
        judged.map_err(|what| self.container.is_not(what))
    }
}

const GZIP_HEAD: usize = 10;
/// Header, the shortest stream, and the trailer.
const GZIP_SHORTEST: u64 = 20;

fn judge_gzip(head: &[u8]) -> Result<(), &'static str> {
    match head {
        [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0 => Ok(()),
        [0x1f, 0x8b, ..] => Err("it is a gzip file of a kind that is not known"),
        [b'P', b'K', ..] => Err("it is a zip file, and gzip is what is taken here"),
        _ => Err("it is no gzip file"),
    }
}
