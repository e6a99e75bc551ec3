// SPDX-License-Identifier: Apache-2.0
//! What names, headers and lists may be at most: Swift's defaults, told in `/info`.

pub const ACCOUNT_NAME: usize = 256;
pub const CONTAINER_NAME: usize = 256;
pub const OBJECT_NAME: usize = 1024;
pub const META_NAME: usize = 128;
pub const META_VALUE: usize = 256;
pub const META_COUNT: usize = 90;
pub const META_OVERALL: usize = 4096;
/// Entries of one page of a list.
pub const LISTING: usize = 10_000;
/// Bytes of one object that is not put together of others: 5 GiB and a little, as in Swift.
pub const OBJECT_SIZE: u64 = 5_368_709_122;
/// Bytes of who may read or write a container.
pub const ACL: usize = 8192;
pub const SEGMENTS: usize = 1000;
/// Bytes of one that is: manifests that name manifests multiply, and a list of so many as a page has is still a number.
pub const LARGE: u64 = 1 << 50;
pub const MANIFEST: usize = 8 << 20;
pub const DELETES: usize = 10_000;
/// Files of one archive, and how many of them may fail before the rest is left.
pub const ARCHIVED: usize = 10_000;
pub const FAILED: usize = 1000;
pub const RANGES: usize = 50;
/// What the one kind of storage is called that there is.
pub const POLICY: &str = "default";
