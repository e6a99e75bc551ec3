// SPDX-License-Identifier: Apache-2.0
//! OAuth 2.0, the grant of client credentials (RFC 6749, 4.4): the client is an application credential, the access token
//! a token as any other, and errors have OAuth's own form.

pub mod api;
#[cfg(test)]
mod tests;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("oauth2", api::routes);
