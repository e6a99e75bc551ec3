// SPDX-License-Identifier: Apache-2.0
//! The name by which the guest knows itself, made from the server's name where none was chosen.

use types::ServerId;

pub(super) fn from_name(name: &str, id: &ServerId) -> String {
    let hostname = words::hostname::from_name(name);
    if hostname.is_empty() { format!("server-{id}") } else { hostname }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_which_nothing_is_left_gives_way_to_the_id() {
        let id = ServerId::from("id");
        assert_eq!(from_name("Web 1", &id), "web-1");
        assert_eq!(from_name("日本", &id), "server-id");
    }
}
