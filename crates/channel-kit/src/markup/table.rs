//! Tables, laid out in lines of equal width.

use pulldown_cmark::{Event, Tag};
use unicode_width::UnicodeWidthStr as _;

/// A column is padded to so many columns of a terminal at most: a long cell stands out of its line
/// instead of making every line as long.
const WIDTH_LIMIT: usize = 40;

/// The cells that were read so far.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn cell(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.push(String::new());
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        let cell = self.rows.last_mut().and_then(|row| row.last_mut());
        if let Some(cell) = cell {
            cell.push_str(&text.replace('\n', " "));
        }
    }

    /// Takes something that stands in the table.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        if let Event::Start(Tag::TableHead | Tag::TableRow) = event {
            self.row();
        } else if let Event::Start(Tag::TableCell) = event {
            self.cell();
        } else if let Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) = event {
            self.text(text);
        }
    }

    /// One line a row, and a line under the heading.
    pub(super) fn laid_out(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.width()).max();
            widest.unwrap_or_default().min(WIDTH_LIMIT)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut lines: Vec<String> = self.rows.iter().map(|row| line(row, &widths)).collect();
        if lines.len() > 1 {
            let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            lines.insert(1, rule.join("─┼─"));
        }
        lines.join("\n")
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let padded = widths.iter().enumerate().map(|(column, width)| {
        let cell = row.get(column).map_or("", String::as_str);
        let missing = width.saturating_sub(cell.width());
        format!("{cell}{}", " ".repeat(missing))
    });
    let cells: Vec<String> = padded.collect();
    cells.join(" │ ").trim_end().to_owned()
}
