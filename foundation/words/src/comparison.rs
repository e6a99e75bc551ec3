// SPDX-License-Identifier: Apache-2.0
//! Comparisons in filters: `?created_at=gte:2026-11-30T00:00:00Z`.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Comparison {
    /// The operator before the first colon, and what it compares with. None if that is no operator: an instant has colons, too.
    pub fn read(text: &str) -> Option<(Self, &str)> {
        let (word, value) = text.split_once(':')?;
        let comparison = match word {
            "eq" => Self::Equal,
            "neq" => Self::NotEqual,
            "lt" => Self::Less,
            "lte" => Self::AtMost,
            "gt" => Self::Greater,
            "gte" => Self::AtLeast,
            _ => return None,
        };
        Some((comparison, value))
    }

    /// Its condition of those that [`conditions!`](crate::conditions) makes of a column.
    pub fn of(self, conditions: &[&'static str; 6]) -> &'static str {
        conditions[self as usize]
    }
}

/// The conditions on a column, in the order of [`Comparison`]; each ends where the value belongs.
#[macro_export]
macro_rules! conditions {
    ($column:literal) => {
        [
            concat!($column, " = "),
            concat!($column, " <> "),
            concat!($column, " < "),
            concat!($column, " <= "),
            concat!($column, " > "),
            concat!($column, " >= "),
        ]
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_stands_before_the_first_colon() {
        assert_eq!(Comparison::read("gte:2026-11-30T00:00:00Z"), Some((Comparison::AtLeast, "2026-11-30T00:00:00Z")));
        assert_eq!(Comparison::read("2026-11-30T00:00:00Z"), None);
        assert_eq!(Comparison::read("gte"), None);
        for (text, condition) in
            [("eq:", "a = "), ("neq:", "a <> "), ("lt:", "a < "), ("lte:", "a <= "), ("gt:", "a > "), ("gte:", "a >= ")]
        {
            assert_eq!(Comparison::read(text).map(|(it, _)| it.of(&conditions!("a"))), Some(condition));
        }
    }
}
