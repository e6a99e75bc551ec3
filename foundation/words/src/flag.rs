// SPDX-License-Identifier: Apache-2.0
//! Yes and no.

/// The words that oslo takes for yes and no, in large letters or small ones.
pub fn oslo(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

/// The spellings that Nova's schemas list, and no other.
pub fn nova(text: &str) -> Option<bool> {
    match text {
        "True" | "TRUE" | "true" | "1" | "ON" | "On" | "on" | "YES" | "Yes" | "yes" => Some(true),
        "False" | "FALSE" | "false" | "0" | "OFF" | "Off" | "off" | "NO" | "No" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn nova_takes_fewer_spellings_than_oslo() {
        for text in ["y", "t", "tRUE", "f", "oFF"] {
            assert!(super::oslo(text).is_some() && super::nova(text).is_none(), "{text}");
        }
        for text in ["", "2", "maybe", " yes"] {
            assert_eq!((super::oslo(text), super::nova(text)), (None, None));
        }
        assert_eq!((super::oslo("Yes"), super::nova("off")), (Some(true), Some(false)));
    }
}
