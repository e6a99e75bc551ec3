// SPDX-License-Identifier: Apache-2.0
//! The flavors that a new cloud begins with: the customary ones, and two for small guests under emulation.

/// Name, vCPUs, MiB of memory, GiB of disk. The name is the id too, so that seeding twice makes nothing twice.
pub(crate) const STANDARD: &[(&str, u32, u64, u64)] = &[
    ("m1.nano", 1, 128, 1),
    ("m1.micro", 1, 192, 1),
    ("m1.tiny", 1, 512, 1),
    ("m1.small", 1, 2048, 20),
    ("m1.medium", 2, 4096, 40),
    ("m1.large", 4, 8192, 80),
];
