//! Lines over an axis, drawn as SVG and PNG: panels one above the other, each with its series.
//!
//! The font is compiled in, so that the pictures need nothing of the system and are the same everywhere; in an SVG the
//! viewer's own sans-serif is used. What it is not: it knows nothing of what is drawn.
//!
//! Who calls it: `lazymmu fuzz --plot` and `lazymmu zoo --plot`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::error::{Error, Result};
use crate::output;

/// The picture's width, and the height of one panel, in pixels.
const SIZE: (u32, u32) = (960, 360);
/// The height of the picture's own title.
const TITLE: u32 = 44;
/// Told apart by people who see few colours too.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(90, 90, 90),
    RGBColor(230, 159, 0),
];

/// One line of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its points, with x ascending; those that are no finite numbers are left out.
    pub points: Vec<(f64, f64)>,
    /// Whether a value holds until the next point: a step instead of a slope.
    pub steps: bool,
}

/// How a horizontal axis goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Axis {
    /// From 0, evenly.
    #[default]
    Linear,
    /// By factors, from the least x above 0; other points are left out.
    Logarithmic,
}

/// One pair of axes, the vertical one from 0; several lines have a legend, of one the vertical axis tells enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What the horizontal axis shows, with its unit.
    pub x: String,
    /// What the vertical axis shows, with its unit.
    pub y: String,
    /// How the horizontal axis goes.
    pub axis: Axis,
    /// The lines.
    pub series: Vec<Series>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What is shown, in a line.
    pub title: String,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

impl Plot {
    /// Writes `NAME.svg` and `NAME.png` into a folder, which is made if it is not there, and yields where they are.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<[PathBuf; 2]> {
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let paths = ["svg", "png"].map(|kind| folder.join(format!("{name}.{kind}")));
        let failed = |what: String| Error::Broke {
            what: format!("the plot cannot be drawn: {what}"),
            place: Some(folder.display().to_string()),
            remedy: "report it, with the file `state` of the run".to_owned(),
        };
        let pictures = [self.svg().map(String::into_bytes).map_err(failed)?, self.png().map_err(failed)?];
        for (path, picture) in paths.iter().zip(pictures) {
            output::file(path, picture).map_err(Error::io("write the plot", path))?;
        }
        Ok(paths)
    }

    fn size(&self) -> (u32, u32) {
        (SIZE.0, TITLE + SIZE.1 * self.panels.len() as u32)
    }

    /// The picture as SVG.
    ///
    /// # Errors
    /// What the drawing library says.
    pub fn svg(&self) -> std::result::Result<String, String> {
        let mut text = String::new();
        self.draw(&SVGBackend::with_string(&mut text, self.size()).into_drawing_area())?;
        Ok(text)
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// What the drawing library or the encoder says.
    pub fn png(&self) -> std::result::Result<Vec<u8>, String> {
        let (width, height) = self.size();
        let mut pixels = vec![0; (width * height * 3) as usize];
        self.draw(&BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area())?;
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
        writer.write_image_data(&pixels).and_then(|()| writer.finish()).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    fn draw<B: DrawingBackend>(&self, whole: &DrawingArea<B, Shift>) -> std::result::Result<(), String> {
        static FONT: Once = Once::new();
        FONT.call_once(|| {
            // A font that is refused shows in every picture, and in the tests.
            let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
        });
        whole.fill(&WHITE).map_err(|error| error.to_string())?;
        let below =
            whole.margin(10, 0, 0, 0).titled(&self.title, ("sans-serif", 22)).map_err(|error| error.to_string())?;
        for (area, panel) in below.split_evenly((self.panels.len().max(1), 1)).iter().zip(&self.panels) {
            panel.draw(area).map_err(|error| error.to_string())?;
        }
        whole.present().map_err(|error| error.to_string())
    }
}

impl Panel {
    fn draw<'a, B: DrawingBackend + 'a>(
        &self,
        area: &DrawingArea<B, Shift>,
    ) -> std::result::Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let points = || self.series.iter().flat_map(|series| series.finite(self.axis));
        let most = |of: fn((f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
        // Axes of no length cannot be drawn.
        let end = |most: f64| if most > 0.0 { most } else { 1.0 };
        let (right, top) = (end(most(|point| point.0)), end(most(|point| point.1)) * 1.08);
        match self.axis {
            Axis::Linear => self.draw_along::<_, RangedCoordf64>(area, (0.0..right).into(), top),
            Axis::Logarithmic => {
                // From a power of ten on: those are what the axis is labelled with.
                let left = points().map(|point| point.0).fold(right, f64::min);
                let left = 10_f64.powf(left.log10().floor());
                let left = if left < right { left } else { right / 10.0 };
                self.draw_along::<_, LogCoord<f64>>(area, (left..right).log_scale().into(), top)
            }
        }
    }

    /// The panel with this horizontal axis, and a vertical one up to `top`.
    fn draw_along<'a, B: DrawingBackend + 'a, X: Ranged<ValueType = f64> + ValueFormatter<f64>>(
        &self,
        area: &DrawingArea<B, Shift>,
        x: X,
        top: f64,
    ) -> std::result::Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_right(28)
            .x_label_area_size(46)
            .y_label_area_size(78)
            .build_cartesian_2d(x, 0.0..top)?;
        chart
            .configure_mesh()
            .x_desc(&self.x)
            .y_desc(&self.y)
            .axis_desc_style(("sans-serif", 16))
            .label_style(("sans-serif", 14))
            .light_line_style(RGBColor(245, 245, 245))
            .bold_line_style(RGBColor(220, 220, 220))
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let line = LineSeries::new(series.line(self.axis), colour.stroke_width(2));
            let nothing = if series.finite(self.axis).next().is_none() { ": nothing" } else { "" };
            let name = format!("{}{nothing}", series.name);
            let colour = *colour;
            let sample = move |(x, y)| PathElement::new(vec![(x, y), (x + 22, y)], colour.stroke_width(2));
            chart.draw_series(line)?.label(name).legend(sample);
            // A line from a point to itself cannot be seen.
            if series.finite(self.axis).nth(1).is_none() {
                chart.draw_series(series.finite(self.axis).map(|point| Circle::new(point, 4, colour.filled())))?;
            }
        }
        if self.series.len() < 2 {
            return Ok(());
        }
        let position = SeriesLabelPosition::LowerRight;
        let mut legend = chart.configure_series_labels();
        legend.position(position).margin(14).label_font(("sans-serif", 14));
        legend.background_style(WHITE.mix(0.85)).border_style(RGBColor(180, 180, 180)).draw()
    }
}

impl Series {
    /// The points that can be drawn along an axis.
    fn finite(&self, axis: Axis) -> impl Iterator<Item = (f64, f64)> {
        let fits = move |x: f64| axis == Axis::Linear || x > 0.0;
        self.points.iter().copied().filter(move |(x, y)| x.is_finite() && y.is_finite() && fits(*x))
    }

    /// The points of the line, with the corners of its steps.
    fn line(&self, axis: Axis) -> Vec<(f64, f64)> {
        let mut line: Vec<(f64, f64)> = Vec::new();
        for (x, y) in self.finite(axis) {
            if let Some(&(_, before)) = line.last().filter(|_| self.steps) {
                line.push((x, before));
            }
            line.push((x, y));
        }
        line
    }
}

/// A number as short as an axis wants it: 0.0001, 950, 1.5k, 20M.
fn short(value: f64) -> String {
    let units = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (unit, name) = units.into_iter().find(|(unit, _)| value.abs() >= *unit).unwrap_or((1.0, ""));
    let places = if value.abs() < 0.01 { 6 } else { 2 };
    let digits = format!("{:.places$}", value / unit);
    format!("{}{name}", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, points: &[(f64, f64)]) -> Series {
        Series { name: name.to_owned(), points: points.to_vec(), steps: false }
    }

    fn plot(series: Vec<Series>) -> Plot {
        let panel = Panel { x: "time (s)".to_owned(), y: "edges".to_owned(), axis: Axis::Linear, series };
        let other = Panel { axis: Axis::Logarithmic, ..panel.clone() };
        Plot { title: "a < b & c".to_owned(), panels: vec![panel, other] }
    }

    /// Every element is closed, in order, and nothing in the text could be taken for one.
    fn assert_well_formed(svg: &str) {
        let mut open = Vec::new();
        for piece in svg.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').expect("a tag ends");
            assert!(!text.contains('>') && !text.replace("&lt;", "").replace("&amp;", "").contains('&'), "{text}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') || tag.starts_with(['?', '!']) => {}
                None => open.push(tag.split_whitespace().next().expect("it has a name")),
            }
        }
        assert!(open.is_empty() && svg.starts_with("<svg"), "{open:?}");
    }

    #[test]
    fn both_pictures_are_written_and_well_formed() {
        let folder = std::env::temp_dir().join(format!("lazymmu-plot-{}", std::process::id()));
        let plot = plot(vec![series("one", &[(0.0, 1.0), (2.0, 9.0)]), series("two", &[(0.0, 3.0), (1.0, 4.0)])]);
        let [svg, png] = plot.write(&folder, "both").expect("the folder can be written");
        let text = fs::read_to_string(svg).expect("it was written");
        assert_well_formed(&text);
        assert!(text.contains("a &lt; b &amp; c") && text.contains("time (s)") && text.contains("edges"));
        for colour in ["#0072B2", "#D55E00"] {
            let lines = text.split("<polyline").filter(|line| line.contains(&format!("stroke=\"{colour}\""))).count();
            assert!(lines >= 2, "a line of this colour in each panel: {lines}");
        }
        let bytes = fs::read(png).expect("it was written");
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("its pixels");
        assert_eq!((info.width, info.height), plot.size());
        // The title's line has ink, so that the font was there.
        let title = &pixels[..(info.width * TITLE * 3) as usize];
        assert!(title.chunks(3).filter(|pixel| pixel.iter().all(|&part| part < 100)).count() > 50);
        fs::remove_dir_all(folder).expect("it was made here");
    }

    #[test]
    fn little_or_odd_data_is_drawn() {
        for points in [
            &[][..],
            &[(0.0, 0.0)],
            &[(5.0, 7.0)],
            &[(1.0, 2.0), (1.0, 2.0)],
            &[(0.0, f64::NAN), (f64::INFINITY, 1.0)],
            &[(0.0, 0.0), (1e6, 1e12)],
        ] {
            let plot = plot(vec![series("s", points)]);
            assert_well_formed(&plot.svg().expect("it is drawn"));
            assert!(plot.png().expect("it is drawn").starts_with(b"\x89PNG\r\n\x1a\n"), "{points:?}");
        }
        assert!(Plot { title: String::new(), panels: Vec::new() }.png().is_ok());
    }

    #[test]
    fn steps_hold_their_value() {
        let steps = Series { steps: true, ..series("s", &[(0.0, 1.0), (2.0, 5.0)]) };
        assert_eq!(steps.line(Axis::Linear), [(0.0, 1.0), (2.0, 1.0), (2.0, 5.0)]);
        assert_eq!([0.0, 1e-4, 0.25, 950.0, 1500.0, 2e7].map(short), ["0", "0.0001", "0.25", "950", "1.5k", "20M"]);
    }
}
