//! Tables with a header and a footer (contract/loginctl.md section 2).

use crate::render::text;

/// A table that is not text yet.
#[derive(Debug)]
pub struct Table {
    /// The header's cells.
    pub columns: &'static [&'static str],
    /// How many columns, from the left, are set flush right.
    pub right_aligned: usize,
    /// What the rows are, for the footer: `sessions`, `users`, `seats`.
    pub what: &'static str,
    /// The rows, a cell a column; an empty one is shown as `-`.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The table as text; without `legend` the rows alone.
    pub fn to_text(&self, legend: bool) -> String {
        let header = legend.then(|| self.columns.iter().map(|&cell| cell.to_owned()).collect());
        let lines: Vec<Vec<String>> =
            header.into_iter().chain(self.rows.iter().map(|r| printable(r))).collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                lines
                    .iter()
                    .filter_map(|line| line.get(column))
                    .map(|cell| text::width(cell))
                    .max()
                    .unwrap_or(0)
            })
            .collect();

        let mut out = String::new();
        for line in &lines {
            text::push_line(&mut out, &self.join(line, &widths));
        }
        match (legend, self.rows.len()) {
            (false, _) => {}
            (true, 0) => text::push_line(&mut out, &format!("No {}.", self.what)),
            (true, count) => {
                text::push_line(&mut out, "");
                text::push_line(&mut out, &format!("{count} {} listed.", self.what));
            }
        }
        out
    }

    /// A line's cells, padded; the last one is not.
    fn join(&self, line: &[String], widths: &[usize]) -> String {
        let last = self.columns.len().saturating_sub(1);
        let pad = |(column, (cell, &wide)): (usize, (&String, &usize))| {
            let padding = " ".repeat(wide.saturating_sub(text::width(cell)));
            match column {
                _ if column < self.right_aligned => padding + cell,
                _ if column == last => cell.clone(),
                _ => cell.clone() + &padding,
            }
        };
        line.iter().zip(widths).enumerate().map(pad).collect::<Vec<_>>().join(" ")
    }
}

fn printable(row: &[String]) -> Vec<String> {
    row.iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { text::escape(cell) }).collect()
}
