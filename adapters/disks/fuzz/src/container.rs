// SPDX-License-Identifier: Apache-2.0
//! Noise, told to be a container: the first byte says how large the pieces are, the second which container.
#![no_main]

use disks::inspect::{Container, ContainerInspector};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [size, kind, content @ ..] = data else { return };
    let kinds = [Container::Ova, Container::Docker, Container::Compressed];
    let mut inspector = ContainerInspector::new(kinds[usize::from(*kind) % kinds.len()]);
    for piece in content.chunks(1 + usize::from(*size) * 64) {
        if inspector.feed(piece).is_err() {
            return;
        }
    }
    let _ = inspector.finish();
});
