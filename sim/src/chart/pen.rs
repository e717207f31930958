//! A backend of plotters that writes paths with classes, so that the page's style sheet colours them, light and dark. It draws
//! the data of a chart and nothing else: text, rules and moments are the panel's.
//!
//! A colour's red part is the key of a [`Mark`]; sizes are ten times the chart's, because plotters counts in whole pixels.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::rc::Rc;

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea, RGBColor, ShapeStyle};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use super::palette::Mark;
use crate::markup::{Markup, markup};

/// The width of the data's own coordinates.
pub(super) const WIDTH: u32 = 1000;
/// Plotters' pixels for each of them.
const FINE: u32 = 10;

/// What was drawn so far.
pub(super) type Paper = Rc<RefCell<Markup>>;

/// The backend.
pub(super) struct Pen {
    height: u32,
    paper: Paper,
}

/// A drawing area of a chart's data, `height` high, and the paper it draws on.
pub(super) fn area(height: u32) -> (DrawingArea<Pen, Shift>, Paper) {
    let paper = Paper::default();
    let pen = Pen { height, paper: Rc::clone(&paper) };
    (pen.into_drawing_area(), paper)
}

/// A line drawn as `mark`.
pub(super) fn line(mark: Mark) -> ShapeStyle {
    ShapeStyle { color: RGBColor(mark.key, 0, 0).into(), filled: false, stroke_width: 1 }
}

/// An area filled as `mark`.
pub(super) fn fill(mark: Mark) -> ShapeStyle {
    ShapeStyle { filled: true, ..line(mark) }
}

/// One dot at each place (a share of the width, and pixels from the top), all in one path: there may be thousands.
pub(super) fn points(mark: Mark, class: &'static str, places: &[(f64, f64)]) -> Markup {
    let mut out = Markup::new();
    let fine = |(x, y): (f64, f64)| ((x * f64::from(WIDTH * FINE)) as i32, (y * f64::from(FINE)) as i32);
    let mut d = String::new();
    let mut last = (0, 0);
    for (at, place) in places.iter().copied().map(fine).enumerate() {
        let _ = write!(
            d,
            "{}{} {}h0",
            if at == 0 { 'M' } else { 'm' },
            Tenths(place.0 - last.0),
            Tenths(place.1 - last.1)
        );
        last = place;
    }
    if !d.is_empty() {
        markup!(out, "<path class=\"" (mark.class) " " (class) "\" d=\"" (d) "\"/>");
    }
    out
}

/// Boxes (left, top, width and height; from left to right in shares of the width, downwards in pixels), all in one path.
pub(super) fn boxes(mark: Mark, places: &[[f64; 4]]) -> Markup {
    let mut out = Markup::new();
    let mut d = String::new();
    for [left, top, width, height] in places {
        let across = |share: &f64| Tenths((share * f64::from(WIDTH * FINE)) as i32);
        let down = |pixels: f64| Tenths((pixels * f64::from(FINE)) as i32);
        let _ = write!(
            d,
            "M{} {}h{}v{}h{}z",
            across(left),
            down(*top),
            across(width),
            down(*height),
            across(&-width)
        );
    }
    if !d.is_empty() {
        markup!(out, "<path class=\"" (mark.class) "\" d=\"" (d) "\"/>");
    }
    out
}

impl Pen {
    fn path(&self, color: BackendColor, points: impl Iterator<Item = BackendCoord>, closed: bool) {
        let Some(mark) = Mark::with_key(color.rgb.0) else { return };
        let mut d = String::new();
        let mut last: Option<BackendCoord> = None;
        for point in points {
            match last {
                None => {
                    let _ = write!(d, "M{} {}", Tenths(point.0), Tenths(point.1));
                }
                Some(from) if from == point => {}
                Some(from) if from.1 == point.1 => {
                    let _ = write!(d, "h{}", Tenths(point.0 - from.0));
                }
                Some(from) if from.0 == point.0 => {
                    let _ = write!(d, "v{}", Tenths(point.1 - from.1));
                }
                Some(from) => {
                    let _ = write!(d, "l{} {}", Tenths(point.0 - from.0), Tenths(point.1 - from.1));
                }
            }
            last = Some(point);
        }
        if last.is_none() {
            return;
        }
        // A line of one point shows as its round end.
        d.push_str(if closed { "z" } else { "h0" });
        let mut paper = self.paper.borrow_mut();
        markup!(paper, "<path class=\"" (mark.class) "\" d=\"" (d) "\"/>");
    }
}

/// A number of tenths: `12.3`.
struct Tenths(i32);

impl std::fmt::Display for Tenths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, size) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        match size % FINE {
            0 => write!(f, "{sign}{}", size / FINE),
            rest => write!(f, "{sign}{}.{rest}", size / FINE),
        }
    }
}

type Done = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Pen {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (WIDTH * FINE, self.height * FINE)
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    /// Nothing here draws single pixels.
    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Done {
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        self.path(style.color(), [from, to].into_iter(), false);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        _: bool,
    ) -> Done {
        self.path(style.color(), [from, (to.0, from.1), to, (from.0, to.1)].into_iter(), true);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        self.path(style.color(), path.into_iter(), false);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Done {
        self.path(style.color(), points.into_iter(), true);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, _: u32, style: &S, _: bool) -> Done {
        self.path(style.color(), [center].into_iter(), false);
        Ok(())
    }

    /// Text belongs to the panel.
    fn draw_text<S: BackendTextStyle>(&mut self, _: &str, _: &S, _: BackendCoord) -> Done {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::prelude::*;

    #[test]
    fn series_become_short_classed_paths() {
        let (area, paper) = area(100);
        let mut chart = ChartBuilder::on(&area).build_cartesian_2d(0.0..10.0, 0.0..10.0).unwrap();
        let points = [(0.0, 0.0), (5.0, 0.0), (5.0, 10.0), (10.0, 5.0)];
        chart.draw_series(LineSeries::new(points, line(Mark::BLUE))).unwrap();
        chart.draw_series([Rectangle::new([(0.0, 10.0), (10.0, 0.0)], fill(Mark::BAND))]).unwrap();
        drop(chart);
        let drawn = paper.borrow().as_str().to_owned();
        assert!(drawn.contains("<path class=\"l blue\" d=\"M0 99.9h"), "{drawn}");
        assert!(drawn.contains("<path class=\"fband\" d=\"M"), "{drawn}");
        assert_eq!(Tenths(-123).to_string(), "-12.3");
    }
}
