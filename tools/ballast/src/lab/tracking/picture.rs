//! The day as a picture: what the load needed, what was asked for, and what was ready, as SVG.

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext, SeriesLabelPosition};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::combinators::WithKeyPoints;
use plotters::coord::types::RangedCoordi32;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Polygon, Rectangle, Text};
use plotters::prelude::BindKeyPoints;
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color as _, IntoFont as _, IntoTextStyle as _, RGBColor, WHITE};

use crate::error::CliError;

/// Its size, in pixels.
const SIZE: (u32, u32) = (1_600, 800);
/// The fonts' sizes, in pixels; the reader's own sans-serif font is used.
const FONT: &str = "sans-serif";
const CAPTION_SIZE: i32 = 26;
const TEXT_SIZE: i32 = 18;

/// Colours that differ for everybody: <https://jfly.uni-koeln.de/color/>.
pub(crate) const NEEDED: RGBColor = RGBColor(0, 0, 0);
pub(crate) const DESIRED: RGBColor = RGBColor(0, 114, 178);
pub(crate) const ON_SPOT: RGBColor = RGBColor(140, 211, 188);
pub(crate) const ON_DEMAND: RGBColor = RGBColor(240, 176, 64);
pub(crate) const SHORTAGE: RGBColor = RGBColor(228, 228, 228);

/// A minute of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    /// The tasks that the load needs within the limit.
    pub(crate) needed: i32,
    /// The primary's desired count.
    pub(crate) desired: i32,
    /// The ready tasks on Spot.
    pub(crate) on_spot: i32,
    /// The ready tasks on demand.
    pub(crate) on_demand: i32,
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// The heading.
    pub(crate) title: String,
    /// What the line of the load is called.
    pub(crate) needed_name: String,
    /// The minutes, from the day's first on.
    pub(crate) points: Vec<Point>,
    /// The first minute of the shortage, and the first after it.
    pub(crate) short: (i32, i32),
}

type Chart<'a> =
    ChartContext<'a, SVGBackend<'a>, Cartesian2d<WithKeyPoints<RangedCoordi32>, RangedCoordi32>>;

/// An area between two lines, or a line, and its name.
struct Series<'a> {
    name: &'a str,
    color: RGBColor,
}

impl Picture {
    /// The picture, as the text of an SVG file.
    pub(crate) fn draw(&self) -> Result<String, CliError> {
        let mut text = String::new();
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        self.draw_on(&root)
            .and_then(|()| root.present().map_err(|error| error.to_string()))
            .map_err(|why| CliError::Lab(format!("the picture cannot be drawn: {why}")))?;
        drop(root);
        Ok(text)
    }

    fn draw_on(&self, root: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), String> {
        root.fill(&WHITE).map_err(|error| error.to_string())?;
        let minutes = i32::try_from(self.points.len()).unwrap_or(i32::MAX).max(1);
        let height = self.height();
        // A tick every two hours of a day, every half hour of a few hours.
        let every = if minutes > 12 * 60 { 120 } else { 30 };
        let ticks: Vec<i32> = (0..=minutes / every).map(|it| it * every).collect();
        let mut chart = ChartBuilder::on(root)
            .caption(&self.title, (FONT, CAPTION_SIZE).into_font().color(&BLACK))
            .margin(20)
            // Half of the last tick's label stands to the right of the axis.
            .margin_right(50)
            .x_label_area_size(60)
            .y_label_area_size(70)
            .build_cartesian_2d((0..minutes).with_key_points(ticks), 0..height)
            .map_err(|error| error.to_string())?;
        self.draw_shortage(&mut chart, height)?;
        chart
            .configure_mesh()
            .x_desc("time of day, UTC")
            .y_desc("tasks")
            .x_label_formatter(&|minute| format!("{:02}:{:02}", minute / 60, minute % 60))
            .label_style((FONT, TEXT_SIZE))
            .axis_desc_style((FONT, TEXT_SIZE))
            .bold_line_style(BLACK.mix(0.15))
            .light_line_style(WHITE.mix(0.0))
            .draw()
            .map_err(|error| error.to_string())?;
        self.draw_series(&mut chart)?;
        self.name_shortage(&mut chart, height)?;
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK)
            .label_font((FONT, TEXT_SIZE))
            .margin(12)
            .draw()
            .map_err(|error| error.to_string())
    }

    /// Above all tasks there is room for the legend.
    fn height(&self) -> i32 {
        let values = self.points.iter();
        let most = values
            .map(|it| it.needed.max(it.desired).max(it.on_spot + it.on_demand))
            .max()
            .unwrap_or(0);
        (most + most / 5).max(10)
    }

    fn draw_shortage(&self, chart: &mut Chart<'_>, height: i32) -> Result<(), String> {
        let (from, to) = self.short;
        let shade = Rectangle::new([(from, 0), (to, height)], SHORTAGE.filled());
        chart
            .draw_series([shade])
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    /// On the grid, on a ground of its own: no line goes through the words.
    fn name_shortage(&self, chart: &mut Chart<'_>, height: i32) -> Result<(), String> {
        let (from, to) = self.short;
        let style = (FONT, TEXT_SIZE)
            .into_text_style(chart.plotting_area())
            .pos(Pos::new(HPos::Center, VPos::Top));
        let ground = [(from, height - height / 12), (to, height)];
        let ground = Rectangle::new(ground, SHORTAGE.filled());
        let at = (from.midpoint(to), height - height / 30);
        let words = Text::new("Spot is short", at, style);
        chart
            .draw_series([ground])
            .map_err(|error| error.to_string())?;
        chart
            .draw_series([words])
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    fn draw_series(&self, chart: &mut Chart<'_>) -> Result<(), String> {
        let on_spot = Series {
            name: "ready on Spot",
            color: ON_SPOT,
        };
        let on_demand = Series {
            name: "ready on demand, on top of it",
            color: ON_DEMAND,
        };
        let desired = Series {
            name: "desired (primary)",
            color: DESIRED,
        };
        let needed = Series {
            name: &self.needed_name,
            color: NEEDED,
        };
        self.area(chart, &on_spot, |_| 0, |it| it.on_spot)?;
        let all = |it: &Point| it.on_spot + it.on_demand;
        self.area(chart, &on_demand, |it| it.on_spot, all)?;
        self.line(chart, &desired, |it| it.desired)?;
        self.line(chart, &needed, |it| it.needed)
    }

    fn line(
        &self,
        chart: &mut Chart<'_>,
        series: &Series<'_>,
        of: impl Fn(&Point) -> i32,
    ) -> Result<(), String> {
        let color = series.color;
        let points = (0..).zip(self.points.iter().map(of));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))
            .map_err(|error| error.to_string())?
            .label(series.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], color.stroke_width(3)));
        Ok(())
    }

    /// The area between two lines. The lower one is walked back.
    fn area(
        &self,
        chart: &mut Chart<'_>,
        series: &Series<'_>,
        lower: impl Fn(&Point) -> i32,
        upper: impl Fn(&Point) -> i32,
    ) -> Result<(), String> {
        let color = series.color;
        let mut outline: Vec<(i32, i32)> = (0..).zip(self.points.iter().map(upper)).collect();
        let back = (0..).zip(self.points.iter().map(lower));
        let back: Vec<(i32, i32)> = back.collect();
        outline.extend(back.into_iter().rev());
        chart
            .draw_series([Polygon::new(outline, color.filled())])
            .map_err(|error| error.to_string())?
            .label(series.name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 7), (x + 24, y + 7)], color.filled()));
        Ok(())
    }
}
