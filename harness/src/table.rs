//! Tables for people: columns as wide as their widest cell.
//!
//! What it is not: a format for machines; subcommands that have one print it apart.
//!
//! Who calls it: the subcommands that end with a table.

/// Renders rows as aligned columns, two spaces apart, a line each.
///
/// The first row is the heading. Nothing follows the last cell of a line, however wide its column is.
#[must_use]
pub fn render(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text = super::render(&[row(["target", "tests", "state"]), row(["powerpc64", "12", "ok"])]);
        assert_eq!(text, "target     tests  state\npowerpc64  12     ok\n");
        assert_eq!(super::render(&[]), "");
    }
}
