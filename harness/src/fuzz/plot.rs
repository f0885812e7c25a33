//! A run as a picture: coverage, features and executions over time.
//!
//! Not here: drawing ([`crate::plot`]). Called by `lazymmu fuzz --plot`.

use std::path::{Path, PathBuf};

use super::pulse::Pulse;
use super::state::State;
use crate::error::Result;
use crate::plot::{Axis, Panel, Plot, Series};

/// Writes the picture of a target's run into a folder, as SVG and PNG, and yields where they are.
///
/// # Errors
/// The folder cannot be written.
pub fn write(state: &State, target: &str, folder: &Path) -> Result<[PathBuf; 2]> {
    plot(state, target).write(folder, target)
}

fn plot(state: &State, target: &str) -> Plot {
    let series = |name: &str, steps, value: fn(&Pulse) -> u64| {
        let point = |sample: &super::state::Sample| (sample.at as f64 / 1000.0, value(&sample.pulse) as f64);
        Series { name: name.to_owned(), points: state.samples.iter().map(point).collect(), steps }
    };
    let panel =
        |y: &str, series: Vec<Series>| Panel { x: "time (s)".to_owned(), y: y.to_owned(), axis: Axis::Linear, series };
    Plot {
        title: format!("fuzz target {target}"),
        panels: vec![
            panel(
                "found so far (number)",
                vec![
                    series("functions covered (with a sanitizer: edges)", true, |pulse| pulse.coverage),
                    series("features (these, and states of the mode)", true, |pulse| pulse.features),
                ],
            ),
            panel("executions (number)", vec![series("executions", false, |pulse| pulse.executions)]),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::Sample;
    use super::*;

    #[test]
    fn a_run_becomes_three_lines() {
        let pulse = Pulse { executions: 7, coverage: 2, features: 3, corpus: 4 };
        let state = State { samples: vec![Sample { at: 1500, pulse }], ..State::default() };
        let plot = plot(&state, "model");
        let lines: Vec<_> = plot.panels.iter().flat_map(|panel| &panel.series).map(|s| s.points.clone()).collect();
        assert_eq!(lines, [vec![(1.5, 2.0)], vec![(1.5, 3.0)], vec![(1.5, 7.0)]]);
        assert!(plot.svg().is_ok_and(|svg| svg.contains("fuzz target model")));
    }
}
