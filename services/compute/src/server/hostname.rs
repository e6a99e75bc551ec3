// SPDX-License-Identifier: Apache-2.0
//! The name by which the guest knows itself, made from the server's name where none was chosen.

use types::ServerId;

const LONGEST: usize = 63;

pub(super) fn from_name(name: &str, id: &ServerId) -> String {
    let mut hostname = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            ' ' | '_' | '.' => hostname.push('-'),
            c if c.is_ascii_alphanumeric() || c == '-' => hostname.push(c.to_ascii_lowercase()),
            _ => {}
        }
    }
    hostname.truncate(LONGEST);
    let trimmed = hostname.trim_matches('-');
    if trimmed.is_empty() { format!("server-{id}") } else { trimmed.to_owned() }
}

/// One label, or with 2.94 several.
pub(super) fn is_valid(hostname: &str, with_domain: WithDomain) -> bool {
    let label = |label: &str| {
        (1..=LONGEST).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match with_domain {
        WithDomain::No => label(hostname),
        WithDomain::Yes => hostname.len() <= 255 && hostname.split('.').all(label),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WithDomain {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_hostnames() {
        let id = ServerId::from("id");
        for (name, hostname) in
            [("Web 1", "web-1"), ("a_b.c", "a-b-c"), ("-x-", "x"), ("Büro", "bro"), ("日本", "server-id"), ("..", "server-id")]
        {
            assert_eq!(from_name(name, &id), hostname);
        }
        assert_eq!(from_name(&"x".repeat(200), &id).len(), 63);
    }

    #[test]
    fn domains_are_for_newer_clients() {
        assert!(is_valid("web-1", WithDomain::No));
        assert!(!is_valid("web.example.com", WithDomain::No));
        assert!(is_valid("web.example.com", WithDomain::Yes));
        assert!(!is_valid("-web", WithDomain::Yes));
        assert!(!is_valid("web..com", WithDomain::Yes));
    }
}
