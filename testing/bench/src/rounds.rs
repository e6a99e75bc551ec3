// SPDX-License-Identifier: Apache-2.0
//! What many rounds of one figure come to: the median, and how far the middle half lies apart.

use serde::Serialize;

/// The median of some rounds, between the quartiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
    pub rounds: usize,
}

impl Spread {
    pub fn of(rounds: &[f64]) -> Self {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self { low: quantile(&sorted, 0.25), median: quantile(&sorted, 0.5), high: quantile(&sorted, 0.75), rounds: sorted.len() }
    }
}

/// Pairs each round of ours with the floor of the same round: neighbours who came and went are in both.
pub fn paired(ours: &[f64], floor: &[f64], compare: impl Fn(f64, f64) -> f64) -> Spread {
    let each: Vec<f64> = ours.iter().zip(floor).map(|(ours, floor)| compare(*ours, *floor)).collect();
    Spread::of(&each)
}

/// Between the two nearest values, as far as the fraction says.
pub fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = fraction * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_the_values() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(spread, Spread { low: 1.75, median: 2.5, high: 3.25, rounds: 4 });
        assert_eq!(Spread::of(&[7.0]).median, 7.0);
        assert!(Spread::of(&[]).median.is_nan());
    }

    #[test]
    fn a_ratio_is_that_of_its_own_round() {
        // The machine was ten times slower in the second round; ours was twice the floor in all of them.
        assert_eq!(paired(&[20.0, 2.0, 20.0], &[10.0, 1.0, 10.0], |ours, floor| ours / floor).median, 2.0);
    }
}
