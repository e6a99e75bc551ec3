// SPDX-License-Identifier: Apache-2.0
//! Memory in large pages where the kernel has them: ten faults instead of five thousand for a hash, and fewer misses of
//! the table of addresses while it runs. The one `unsafe` call of this crate.

use argon2::Block;
use rustix::mm::{Advice, madvise};

/// So many blocks. That the kernel has no large pages to give is no error.
pub fn blocks(count: usize) -> Vec<Block> {
    let page = rustix::param::page_size();
    let mut blocks = Vec::<Block>::with_capacity(count + page.div_ceil(size_of::<Block>()));
    let start = blocks.as_mut_ptr().cast::<u8>();
    let first = start.wrapping_add(start.align_offset(page));
    let _ = advise(first.cast(), count * size_of::<Block>() / page * page);
    blocks.resize(count, Block::default());
    blocks
}

#[allow(unsafe_code)]
fn advise(start: *mut std::ffi::c_void, length: usize) -> rustix::io::Result<()> {
    // SAFETY: this advice changes no contents; at worst the kernel finds nothing mapped there, and says so.
    unsafe { madvise(start, length, Advice::LinuxHugepage) }
}
