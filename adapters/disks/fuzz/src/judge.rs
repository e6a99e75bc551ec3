// SPDX-License-Identifier: Apache-2.0
//! What all targets share: an image is judged in pieces, and what passes is what it was said to be.

use disks::{Format, Inspector, Limits};

/// The first byte says how large the pieces are in which the rest arrives.
pub fn judge(format: Format, data: &[u8]) {
    let Some((size, image)) = data.split_first() else { return };
    let mut inspector = Inspector::new(format, Limits::default());
    for piece in image.chunks(1 + usize::from(*size) * 64) {
        if inspector.feed(piece).is_err() {
            return;
        }
    }
    if let Ok(found) = inspector.finish() {
        assert_eq!((found.format, found.length), (format, image.len() as u64));
        assert!(found.virtual_size.is_multiple_of(512) && found.virtual_size <= Limits::default().virtual_size);
    }
}
