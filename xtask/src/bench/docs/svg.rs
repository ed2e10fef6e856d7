//! A line chart as SVG: two axes, a few lines, a legend.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 68.0;
const BOTTOM: f64 = HEIGHT - 52.0;
/// About so many numbers at an axis.
const TICKS: f64 = 6.0;

/// What is drawn.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

/// One direction.
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) scale: Scale,
}

/// How numbers become places.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From 0.
    Linear,
    /// By powers of ten; what is not above 0 is left out.
    Logarithmic,
}

/// One line.
pub(super) struct Line {
    pub(super) name: String,
    /// As CSS has it.
    pub(super) color: &'static str,
    /// Whether its points are marked: where there are few of them.
    pub(super) marked: bool,
    pub(super) points: Vec<(f64, f64)>,
}

impl Chart {
    /// The text of the file; nothing if there is nothing to draw.
    pub(super) fn svg(&self) -> Option<String> {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let x = Range::of(self.x.scale, all().map(|point| point.0), (LEFT, RIGHT))?;
        let y = Range::of(self.y.scale, all().map(|point| point.1), (BOTTOM, TOP))?;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<title>{0}</title>\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{0}</text>\n",
            escape(&self.title)
        );
        // Writing to a string cannot fail.
        let _ = self.grid(&mut svg, &x, &y);
        let _ = self.legend(&mut svg);
        for line in &self.lines {
            let _ = line.draw(&mut svg, &x, &y);
        }
        Some(svg + "</svg>\n")
    }

    fn grid(&self, svg: &mut String, x: &Range, y: &Range) -> std::fmt::Result {
        let stroke = "stroke=\"#ddd\"";
        for tick in x.ticks() {
            let (place, text) = (x.place(tick), number(tick));
            writeln!(svg, "<path d=\"M{place:.1} {TOP}V{BOTTOM}\" {stroke}/>")?;
            writeln!(
                svg,
                "<text x=\"{place:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                BOTTOM + 17.0
            )?;
        }
        for tick in y.ticks() {
            let (place, text) = (y.place(tick), number(tick));
            writeln!(svg, "<path d=\"M{LEFT} {place:.1}H{RIGHT}\" {stroke}/>")?;
            writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                LEFT - 7.0,
                place + 4.0
            )?;
        }
        let (middle, below) = (f64::midpoint(LEFT, RIGHT), HEIGHT - 12.0);
        writeln!(
            svg,
            "<text x=\"{middle:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{}</text>",
            escape(self.x.label)
        )?;
        let middle = f64::midpoint(TOP, BOTTOM);
        writeln!(
            svg,
            "<text transform=\"translate(16 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escape(self.y.label)
        )
    }

    fn legend(&self, svg: &mut String) -> std::fmt::Result {
        let mut place = LEFT;
        for line in &self.lines {
            let text = place + 24.0;
            writeln!(svg, "<path d=\"M{place:.1} 46h18\" stroke=\"{}\" stroke-width=\"3\"/>", line.color)?;
            writeln!(svg, "<text x=\"{text:.1}\" y=\"50\">{}</text>", escape(&line.name))?;
            // About as wide as the letters are.
            place = text + 7.0 * line.name.chars().count() as f64 + 14.0;
        }
        Ok(())
    }
}

impl Line {
    fn draw(&self, svg: &mut String, x: &Range, y: &Range) -> std::fmt::Result {
        let seen = self.points.iter().filter(|point| x.has(point.0) && y.has(point.1));
        let places: Vec<(f64, f64)> = seen.map(|point| (x.place(point.0), y.place(point.1))).collect();
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let color = self.color;
        let (path, width) = (path.join(" "), 2.2);
        writeln!(
            svg,
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"/>"
        )?;
        for (x, y) in places.iter().filter(|_| self.marked) {
            writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{color}\"/>")?;
        }
        Ok(())
    }
}

/// From the smallest number to the largest, and from which place to which.
struct Range {
    scale: Scale,
    low: f64,
    high: f64,
    places: (f64, f64),
}

impl Range {
    fn of(scale: Scale, numbers: impl Iterator<Item = f64>, places: (f64, f64)) -> Option<Self> {
        let mut range = Self { scale, low: f64::INFINITY, high: f64::NEG_INFINITY, places };
        for number in numbers.filter(|number| scale == Scale::Linear || *number > 0.0) {
            (range.low, range.high) = (range.low.min(number), range.high.max(number));
        }
        (range.low <= range.high).then(|| match scale {
            Scale::Linear => Self { low: 0.0, high: range.high.max(f64::MIN_POSITIVE), ..range },
            // A line is not to end at the frame, and a range is never empty.
            Scale::Logarithmic => Self { low: range.low / 1.1, high: range.high * 1.1, ..range },
        })
    }

    fn has(&self, number: f64) -> bool {
        (self.low..=self.high).contains(&number)
    }

    fn place(&self, number: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => number / self.high,
            Scale::Logarithmic => (number / self.low).ln() / (self.high / self.low).ln(),
        };
        self.places.0 + part * (self.places.1 - self.places.0)
    }

    fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let rough = self.high / TICKS;
                let power = 10_f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
                let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
                let mut ticks = vec![0.0];
                while let Some(next) = ticks.last().map(|last| last + step).filter(|next| self.has(*next)) {
                    ticks.push(next);
                }
                ticks
            }
            Scale::Logarithmic => {
                let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
                let ticks =
                    decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|factor| factor * 10_f64.powi(decade)));
                ticks.filter(|tick| self.has(*tick)).collect()
            }
        }
    }
}

/// Without what floating point adds to it, and with commas between the thousands.
fn number(number: f64) -> String {
    let text = format!("{:.6}", number).trim_end_matches('0').trim_end_matches('.').to_owned();
    match text.parse::<u64>() {
        Ok(whole) if whole >= 1000 => format!("{},{:03}", whole / 1000, whole % 1000),
        _ => text,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(scale: Scale, numbers: &[f64]) -> Option<Range> {
        Range::of(scale, numbers.iter().copied(), (100.0, 200.0))
    }

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        let linear = range(Scale::Linear, &[3.0, 1100.0]).unwrap();
        assert_eq!(linear.ticks(), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        let logarithmic = range(Scale::Logarithmic, &[0.06, 12.0]).unwrap();
        let texts: Vec<String> = logarithmic.ticks().into_iter().map(number).collect();
        assert_eq!(texts, ["0.1", "0.2", "0.5", "1", "2", "5", "10"]);
        assert_eq!(number(38_742.0), "38,742");
    }

    #[test]
    fn numbers_have_their_places() {
        let linear = range(Scale::Linear, &[50.0, 200.0]).unwrap();
        assert_eq!([0.0, 100.0, 200.0].map(|number| linear.place(number)), [100.0, 150.0, 200.0]);
        let logarithmic = range(Scale::Logarithmic, &[1.1, 100.0 / 1.1]).unwrap();
        assert!((logarithmic.place(10.0) - 150.0).abs() < 1e-9);
        assert!(range(Scale::Logarithmic, &[0.0]).is_none(), "nothing above 0");
        assert!(range(Scale::Linear, &[]).is_none());
        assert!(!logarithmic.has(0.0));
    }

    #[test]
    fn a_chart_has_its_lines_and_nothing_of_svg_in_its_words() {
        let axis = |scale| Axis { label: "ms", scale };
        let points = vec![(0.0, 5.0), (1000.0, 10.0)];
        let lines = vec![Line { name: "a < b".to_owned(), color: "#000", marked: true, points }];
        let (x, y) = (axis(Scale::Linear), axis(Scale::Linear));
        let svg = Chart { title: "Q & A".to_owned(), x, y, lines }.svg().unwrap();
        assert!(svg.contains("Q &amp; A") && svg.contains("a &lt; b"), "{svg}");
        assert!(svg.contains("<polyline points=\"70.0,198.0 696.0,68.0\""), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2);
        let (x, y) = (axis(Scale::Linear), axis(Scale::Linear));
        assert!(Chart { title: String::new(), x, y, lines: Vec::new() }.svg().is_none());
    }
}
