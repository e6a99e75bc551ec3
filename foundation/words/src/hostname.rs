// SPDX-License-Identifier: Apache-2.0
//! The names by which guests know themselves.

const LONGEST: usize = 63;
const LONGEST_WITH_DOMAIN: usize = 255;

/// What a display name comes to as a label of DNS; empty if nothing of it can stand in one.
pub fn from_name(name: &str) -> String {
    let mut hostname = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            ' ' | '_' | '.' => hostname.push('-'),
            c if c.is_ascii_alphanumeric() || c == '-' => hostname.push(c.to_ascii_lowercase()),
            _ => {}
        }
    }
    hostname.truncate(LONGEST);
    hostname.trim_matches('-').to_owned()
}

/// Whether it is one label.
pub fn is_label(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether it is a label, or several with dots between them.
pub fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_WITH_DOMAIN && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_labels() {
        for (name, hostname) in [("Web 1", "web-1"), ("a_b.c", "a-b-c"), ("-x-", "x"), ("Büro", "bro"), ("日本", ""), ("..", "")]
        {
            assert_eq!(from_name(name), hostname);
        }
        assert_eq!(from_name(&"x".repeat(200)).len(), 63);
    }

    #[test]
    fn a_domain_is_of_labels() {
        assert!(is_label("web-1") && !is_label("web.example.com"));
        assert!(is_name("web.example.com"));
        assert!(!is_name("-web") && !is_name("web..com") && !is_name(""));
    }
}
