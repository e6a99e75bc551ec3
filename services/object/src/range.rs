// SPDX-License-Identifier: Apache-2.0
//! `Range: bytes=0-9,-5`

use std::ops::Range;

use crate::limits;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranges {
    /// None was asked for, or nothing that is understood.
    All,
    Some(Vec<Range<u64>>),
    /// None of them is within.
    Unsatisfiable,
}

impl Ranges {
    pub fn parse(header: Option<&str>, size: u64) -> Self {
        let Some(list) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Self::All };
        let mut within = Vec::new();
        let mut asked = 0;
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            asked += 1;
            match one(item, size) {
                Err(()) => return Self::All,
                Ok(Some(range)) => within.push(range),
                Ok(None) => {}
            }
        }
        match () {
            () if asked == 0 => Self::All,
            // Many small ones, or the same bytes over and over, would only cost more than they carry.
            () if within.is_empty() || asked > limits::RANGES || overlaps(&within) > 2 => Self::Unsatisfiable,
            () => Self::Some(within),
        }
    }
}

/// None for one that is beyond the end.
fn one(item: &str, size: u64) -> Result<Option<Range<u64>>, ()> {
    let (first, last) = item.split_once('-').ok_or(())?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| ());
    let range = match (first.trim(), last.trim()) {
        ("", "") => return Err(()),
        ("", last) => {
            let length = number(last)?;
            if length == 0 {
                return Ok(None);
            }
            size.saturating_sub(length)..size
        }
        (first, "") => number(first)?..size,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return Err(());
            }
            first..last.saturating_add(1).min(size)
        }
    };
    Ok((range.start < range.end).then_some(range))
}

fn overlaps(ranges: &[Range<u64>]) -> usize {
    let overlap = |a: &Range<u64>, b: &Range<u64>| a.start < b.end && b.start < a.end;
    ranges.iter().enumerate().map(|(i, a)| ranges[i + 1..].iter().filter(|b| overlap(a, b)).count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn ranges_are_read_as_they_are_meant() {
        let of = |text: &str| Ranges::parse(Some(text), 10);
        assert_eq!(of("bytes=0-3"), Ranges::Some(vec![0..4]));
        assert_eq!(of("bytes=-3"), Ranges::Some(vec![7..10]));
        assert_eq!(of("bytes=8-"), Ranges::Some(vec![8..10]));
        assert_eq!(of("bytes=8-99, 0-0"), Ranges::Some(vec![8..10, 0..1]));
        assert_eq!(of("bytes=10-"), Ranges::Unsatisfiable);
        assert_eq!(of("bytes=-0"), Ranges::Unsatisfiable);
        for nonsense in ["bytes=", "bytes=a-b", "bytes=3-1", "lines=1-2", "bytes=1-2,x"] {
            assert_eq!(of(nonsense), Ranges::All, "{nonsense}");
        }
        let many = format!("bytes={}", vec!["0-0"; 60].join(","));
        assert_eq!(of(&many), Ranges::Unsatisfiable);
        assert_eq!(Ranges::parse(Some("bytes=0-"), 0), Ranges::Unsatisfiable);
    }
}
