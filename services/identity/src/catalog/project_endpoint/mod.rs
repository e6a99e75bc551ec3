// SPDX-License-Identifier: Apache-2.0
//! Endpoints of projects: what an administrator gives to a project one by one. A project that was given any, here or
//! by groups, finds these in its catalog and no others.

pub mod api;
pub mod table;
