// SPDX-License-Identifier: Apache-2.0
//! Noise, told to be a vmdk image.
#![no_main]

mod judge;

libfuzzer_sys::fuzz_target!(|data: &[u8]| judge::judge(disks::Format::Vmdk, data));
