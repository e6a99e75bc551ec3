// SPDX-License-Identifier: Apache-2.0
//! The figures as people read them, in a table, and as programs do, one JSON object a line.

use serde::Serialize;

use crate::rounds::{Spread, paired};

pub struct Report {
    style: Style,
}

enum Style {
    Table,
    Json,
}

/// One figure, with what it is held against.
#[derive(Serialize)]
pub struct Line {
    measure: &'static str,
    name: String,
    unit: &'static str,
    ours: Spread,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<Floor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
    #[serde(skip)]
    rounds: Vec<f64>,
}

#[derive(Serialize)]
struct Floor {
    name: &'static str,
    #[serde(flatten)]
    figure: Spread,
    /// Ours compared with it, round by round.
    compared: Spread,
    by: Comparison,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Comparison {
    Ratio,
    Difference,
}

/// What the compared figure should be (the figure itself where there is no floor): first, and in the end.
#[derive(Clone, Copy, Serialize)]
pub struct Goal {
    direction: Direction,
    now: f64,
    later: f64,
    met: Met,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    AtLeast,
    AtMost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Met {
    No,
    First,
    All,
}

impl Line {
    pub fn new(measure: &'static str, name: impl Into<String>, unit: &'static str, rounds: &[f64]) -> Self {
        let ours = Spread::of(rounds);
        Self { measure, name: name.into(), unit, ours, floor: None, goal: None, rounds: rounds.to_vec() }
    }

    /// The same figure, of these rounds.
    pub fn with(self, rounds: &[f64]) -> Self {
        Self { ours: Spread::of(rounds), rounds: rounds.to_vec(), ..self }
    }

    /// How many times the floor ours is.
    pub fn over(self, name: &'static str, floor: &[f64]) -> Self {
        self.compare(name, floor, Comparison::Ratio)
    }

    /// How much more than the floor ours is.
    pub fn above(self, name: &'static str, floor: &[f64]) -> Self {
        self.compare(name, floor, Comparison::Difference)
    }

    pub fn at_least(self, now: f64, later: f64) -> Self {
        self.aim(Direction::AtLeast, now, later)
    }

    pub fn at_most(self, now: f64, later: f64) -> Self {
        self.aim(Direction::AtMost, now, later)
    }

    fn compare(mut self, name: &'static str, floor: &[f64], by: Comparison) -> Self {
        let compared = paired(&self.rounds, floor, |ours, floor| match by {
            Comparison::Ratio => ours / floor,
            Comparison::Difference => ours - floor,
        });
        self.floor = Some(Floor { name, figure: Spread::of(floor), compared, by });
        self
    }

    fn aim(mut self, direction: Direction, now: f64, later: f64) -> Self {
        let reached = self.floor.as_ref().map_or(self.ours, |floor| floor.compared).median;
        let reaches = |goal: f64| match direction {
            Direction::AtLeast => reached >= goal,
            Direction::AtMost => reached <= goal,
        };
        let met = if reaches(later) {
            Met::All
        } else if reaches(now) {
            Met::First
        } else {
            Met::No
        };
        self.goal = Some(Goal { direction, now, later, met });
        self
    }
}

impl Report {
    pub fn table() -> Self {
        Self { style: Style::Table }
    }

    pub fn json() -> Self {
        Self { style: Style::Json }
    }

    /// Says what follows; for people only.
    pub fn title(&mut self, text: &str) {
        if let Style::Table = self.style {
            println!("\n{text}");
        }
    }

    pub fn line(&mut self, line: &Line) {
        match self.style {
            Style::Table => println!("{}", row(line)),
            // Figures, names and fixed words always fit into JSON.
            Style::Json => println!("{}", serde_json::to_string(line).unwrap_or_default()),
        }
    }
}

fn row(line: &Line) -> String {
    let unit = if line.unit.is_empty() { String::new() } else { format!(" {}", line.unit) };
    let mut text = format!("  {:<44} {:>9}{unit:<6}", line.name, figure(line.ours.median));
    let compared = match &line.floor {
        None => String::new(),
        Some(floor) => {
            let against = format!("{} {}{unit}", floor.name, figure(floor.figure.median));
            match floor.by {
                Comparison::Ratio => format!("{:>8} x   {against}", figure(floor.compared.median)),
                Comparison::Difference => format!("{:>+8.1}{unit} {against}", floor.compared.median),
            }
        }
    };
    text.push_str(&format!(" {compared:<52}"));
    if let Some(goal) = line.goal {
        let sign = match goal.direction {
            Direction::AtLeast => "≥",
            Direction::AtMost => "≤",
        };
        let verdict = match goal.met {
            Met::No => "MISSED",
            Met::First => "first met",
            Met::All => "met",
        };
        text.push_str(&format!(" {sign} {}, then {}: {verdict}", figure(goal.now), figure(goal.later)));
    }
    text.trim_end().to_owned()
}

/// As many digits as mean something.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_held_against_the_comparison_where_there_is_one() {
        let met = |line: Line| line.goal.map(|goal| goal.met);
        let line = || Line::new("writes", "rows", "/s", &[100.0, 120.0]);
        assert_eq!(met(line().over("floor", &[10.0, 12.0]).at_least(5.0, 15.0)), Some(Met::First));
        assert_eq!(met(line().above("floor", &[10.0, 12.0]).at_most(150.0, 100.0)), Some(Met::All));
        assert_eq!(met(line().at_most(60.0, 40.0)), Some(Met::No));
    }

    #[test]
    fn a_row_shows_figure_floor_ratio_and_verdict() {
        let line = Line::new("writes", "rows", "/s", &[100.0]).over("raw", &[10.0]).at_least(5.0, 15.0);
        let row = row(&line);
        for part in ["rows", "100 /s", "10.0 x", "raw 10.0 /s", "≥ 5.00, then 15.0: first met"] {
            assert!(row.contains(part), "{part}: {row}");
        }
    }
}
