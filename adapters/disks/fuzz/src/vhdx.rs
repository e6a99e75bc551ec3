// SPDX-License-Identifier: Apache-2.0
//! A VHDX has little in much space: the data is laid out where its headers are.
#![no_main]

mod judge;

use disks::Format;

const PLACES: [usize; 6] = [64 << 10, 128 << 10, 192 << 10, 256 << 10, 1 << 20, (1 << 20) + (64 << 10)];
const LENGTH: usize = (1 << 20) + (128 << 10);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut image = vec![0; 1 + LENGTH];
    image[..9].copy_from_slice(b"\xffvhdxfile");
    for (piece, place) in data.chunks(data.len().div_ceil(PLACES.len()).max(1)).zip(PLACES) {
        let piece = &piece[..piece.len().min(4096)];
        image[1 + place..][..piece.len()].copy_from_slice(piece);
    }
    judge::judge(Format::Vhdx, &image);
});
