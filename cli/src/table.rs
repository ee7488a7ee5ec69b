//! Tables, aligned as kubectl aligns them.

/// Spaces after the longest cell of a column.
const PADDING: usize = 3;

/// The least width of a column, padding included.
const MIN_WIDTH: usize = 6;

/// Rows under headings.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

// === impl Table ===

impl Table {
    /// A table with these headings and no rows.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    /// Adds a row with a cell for each heading.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.rows[0].len());
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// Whether there is nothing under the headings.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// The text, with so many spaces before each line.
    pub(crate) fn text(&self, indent: usize) -> String {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            let longest = self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            (longest + PADDING).max(MIN_WIDTH)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:<width$}"));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// What an object holds may be anything; a terminal takes control characters as orders. An empty cell is `<none>`.
fn printable(cell: &str) -> String {
    if cell.is_empty() {
        return "<none>".to_owned();
    }
    cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell_and_lines_end_without_spaces() {
        let mut table = Table::new(&["NAME", "AGE", "MESSAGE"]);
        table.row(vec!["web".into(), "3d".into(), "all is well".into()]);
        table.row(vec!["a-longer-name".into(), "12m".into(), String::new()]);
        let lines =
            ["NAME            AGE   MESSAGE", "web             3d    all is well", "a-longer-name   12m   <none>"];
        assert_eq!(table.text(0), lines.map(|line| format!("{line}\n")).concat());
        assert!(table.text(2).lines().all(|line| line.starts_with("  ")));
    }

    #[test]
    fn a_cell_gives_the_terminal_no_orders() {
        let mut table = Table::new(&["NAME"]);
        table.row(vec!["a\u{1b}[2Jb\n".into()]);
        assert_eq!(table.text(0), "NAME\na\u{fffd}[2Jb\u{fffd}\n");
    }
}
