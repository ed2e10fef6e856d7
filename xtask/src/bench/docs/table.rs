//! Tables in Markdown.

use crate::bench::stats::Times;

/// A table: the first column says what a row is, the others have numbers.
pub(super) struct Table {
    columns: usize,
    text: String,
}

impl Table {
    pub(super) fn new(columns: &[&str]) -> Self {
        let text = format!("| {} |\n|---{}|\n", columns.join(" | "), "|---:".repeat(columns.len() - 1));
        Self { columns: columns.len(), text }
    }

    /// Adds a row; what is missing at its end stays empty.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
        cells.resize(self.columns, String::new());
        self.text += &format!("| {} |\n", cells.join(" | "));
    }

    /// As it stands in the file.
    pub(super) fn text(self) -> String {
        self.text + "\n"
    }
}

/// A number with about three digits that count.
pub(super) fn digits(number: f64) -> String {
    match number.abs() {
        large if large >= 100.0 => format!("{number:.0}"),
        middle if middle >= 10.0 => format!("{number:.1}"),
        middle if middle >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// The same, or a dash.
pub(super) fn cell(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), digits)
}

/// p50, p90 and p99 in milliseconds.
pub(super) fn three(times: &Times) -> [String; 3] {
    [50, 90, 99].map(|percent| cell(times.percentile(percent)))
}

/// How many times the other one's median it is.
pub(super) fn to(this: Option<f64>, other: Option<f64>) -> String {
    let part = this.zip(other).filter(|(_, other)| *other > 0.0).map(|(this, other)| this / other);
    part.map_or_else(|| "-".to_owned(), |part| format!("{}×", digits(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_as_many_cells_as_the_head() {
        let mut table = Table::new(&["who", "ms", "n"]);
        table.row(["a | b".to_owned(), cell(None)]);
        assert_eq!(table.text(), "| who | ms | n |\n|---|---:|---:|\n| a \\| b | - |  |\n\n");
    }

    #[test]
    fn numbers_are_as_long_as_they_are_exact() {
        let texts = [0.0123, 1.234, 12.34, 1234.5].map(digits);
        assert_eq!(texts, ["0.012", "1.23", "12.3", "1234"]);
        assert_eq!(
            (to(Some(3.0), Some(2.0)), to(Some(1.0), Some(0.0))),
            ("1.50×".to_owned(), "-".to_owned())
        );
    }
}
