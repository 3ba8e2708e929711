//! Tables line up.

use super::*;

#[track_caller]
fn check(rows: &[&[&str]], expect: &str) {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
        .collect();
    assert_eq!(table(&rows), expect);
}

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    check(&[], "");
    check(&[&["ONE"]], "ONE");
    check(
        &[
            &["SESSION", "PENDING", "WHY"],
            &["a", "12345678", ""],
            &["bc", "", "down"],
        ],
        "SESSION  PENDING   WHY\na        12345678\nbc                 down",
    );
    // Characters count, not bytes; a short row is a row.
    check(
        &[&["ÄÖÜ", "B"], &["x"], &["y", "z", "more"]],
        "ÄÖÜ  B\nx\ny    z  more",
    );
}
