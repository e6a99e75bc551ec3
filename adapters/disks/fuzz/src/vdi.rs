// SPDX-License-Identifier: Apache-2.0
//! Noise, told to be a vdi image.
#![no_main]

mod judge;

libfuzzer_sys::fuzz_target!(|data: &[u8]| judge::judge(disks::Format::Vdi, data));
