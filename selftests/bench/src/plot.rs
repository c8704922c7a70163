// SPDX-License-Identifier: GPL-2.0

//! Plots, as SVG files and in one page of HTML that has all of them.

use std::{
    fs,
    path::Path, //
};

use anyhow::{
    anyhow,
    Result, //
};
use plotters::prelude::*;

use crate::{
    cell::{
        Cell,
        Row, //
    },
    table::names,
};

const SIZE: (u32, u32) = (900, 520);

/// A line of a plot.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// What a plot shows.
struct Plot {
    file: String,
    title: String,
    x: &'static str,
    y: &'static str,
    is_x_log: bool,
    is_y_log: bool,
    lines: Vec<Line>,
}

/// Writes what can be plotted of these results into `dir`.
pub fn write(dir: &Path, rows: &[Row], cells: &[Cell]) -> Result<()> {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>PRISM: results</title>\
         </head><body style=\"font-family:sans-serif;max-width:60em;margin:auto\">\n<h1>Results</h1>\n",
    );

    for plot in plots(rows, cells) {
        let svg = plot.draw()?;

        fs::write(dir.join(format!("{}.svg", plot.file)), &svg)?;
        page += &format!("<h2>{}</h2>\n{svg}\n", plot.title);
    }
    page += "</body></html>\n";
    fs::write(dir.join("results.html"), page)?;
    Ok(())
}

fn plots(rows: &[Row], cells: &[Cell]) -> Vec<Plot> {
    let mut plots = Vec::new();

    for scenario in names(rows, |row| &row.scenario) {
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| row.scenario == scenario)
            .cloned()
            .collect();
        let mut loads: Vec<_> = rows.iter().map(|row| row.load_percent).collect();
        loads.sort_unstable();
        loads.dedup();

        if loads.len() > 2 {
            for (what, name) in [
                ((|row| row.p50_ns) as fn(&Row) -> u64, "p50"),
                (|row| row.p99_ns, "p99"),
            ] {
                plots.push(against_load(
                    scenario,
                    &rows,
                    name,
                    "us",
                    true,
                    "high",
                    &|row| what(row) as f64 / 1000.0,
                ));
            }
            plots.push(against_load(
                scenario,
                &rows,
                "goodput",
                "per cent received",
                false,
                "normal",
                &|row| row.received as f64 * 100.0 / row.sent.max(1) as f64,
            ));
        }
        if let Some(load) = loads.iter().find(|load| **load == 80) {
            plots.push(distribution(scenario, *load, cells));
        }
    }
    plots.retain(|plot| plot.lines.iter().any(|line| line.points.len() > 1));
    plots
}

/// A figure of the flows of a class against the load.
fn against_load(
    scenario: &str,
    rows: &[Row],
    figure: &str,
    y: &'static str,
    is_y_log: bool,
    class: &str,
    value: &dyn Fn(&Row) -> f64,
) -> Plot {
    let lines = names(rows, |row| &row.peer)
        .into_iter()
        .map(|peer| Line {
            name: peer.to_owned(),
            points: rows
                .iter()
                .filter(|row| row.peer == peer && row.class == class)
                .map(|row| (f64::from(row.load_percent), value(row)))
                .collect(),
        })
        .collect();

    Plot {
        file: format!("{scenario}-{figure}"),
        title: format!("{scenario}: {figure} of class {class} against load"),
        x: "load, per cent of what the plain kernel takes",
        y,
        is_x_log: false,
        is_y_log,
        lines,
    }
}

/// How the times of the first flow are distributed at a load.
fn distribution(scenario: &str, load: u32, cells: &[Cell]) -> Plot {
    let lines = cells
        .iter()
        .filter(|cell| cell.scenario == scenario && cell.load == load)
        .filter_map(|cell| {
            let flow = cell.flows.first()?;
            let mut seen = 0;
            let points = flow
                .times
                .buckets
                .iter()
                .map(|(time, count)| {
                    seen += count;
                    (
                        *time as f64 / 1000.0,
                        seen as f64 * 100.0 / flow.times.count() as f64,
                    )
                })
                .collect();

            Some(Line {
                name: cell.peer.clone(),
                points,
            })
        })
        .collect();

    Plot {
        file: format!("{scenario}-distribution"),
        title: format!("{scenario}: times of the first flow at {load} %"),
        x: "us",
        y: "per cent of the packets",
        is_x_log: true,
        is_y_log: false,
        lines,
    }
}

impl Plot {
    /// The plot as SVG.
    fn draw(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw_to(&mut svg)
            .map_err(|why| anyhow!("{}: {why}", self.file))?;
        Ok(svg)
    }

    fn draw_to(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let range = |of: fn(&(f64, f64)) -> f64, is_log: bool| {
            let most = all().map(of).fold(1.0, f64::max);
            let least = if is_log {
                all()
                    .map(of)
                    .filter(|value| *value > 0.0)
                    .fold(most, f64::min)
            } else {
                0.0
            };
            (least, most * 1.05)
        };
        let to_scale = |value: f64, is_log: bool| {
            if is_log {
                value.max(1e-3).log10()
            } else {
                value
            }
        };
        let (x0, x1) = range(|point| point.0, self.is_x_log);
        let (y0, y1) = range(|point| point.1, self.is_y_log);
        let label = |value: &f64, is_log: bool| {
            if is_log {
                format!("{:.1}", 10f64.powf(*value))
            } else {
                format!("{value:.0}")
            }
        };

        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d(
                to_scale(x0, self.is_x_log)..to_scale(x1, self.is_x_log),
                to_scale(y0, self.is_y_log)..to_scale(y1, self.is_y_log),
            )?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|value| label(value, self.is_x_log))
            .y_label_formatter(&|value| label(value, self.is_y_log))
            .draw()?;
        for (number, line) in self.lines.iter().enumerate() {
            let color = Palette99::pick(number).stroke_width(2);
            let points = line
                .points
                .iter()
                .map(|(x, y)| (to_scale(*x, self.is_x_log), to_scale(*y, self.is_y_log)));

            chart
                .draw_series(LineSeries::new(points, color))?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .draw()?;
        area.present()?;
        Ok(())
    }
}
