//! Lines and keys.

use crate::config::locate::{Found, Lines, Place};

#[test]
fn offsets_have_lines() {
    let lines = Lines::of("a\n\nb");
    let found: Vec<usize> = (0..6).map(|offset| lines.at(offset)).collect();
    assert_eq!(found, [1, 1, 2, 3, 3, 3]);
    assert_eq!(Lines::of("").at(0), 1);
}

#[test]
fn keys_are_printed_as_they_are_written() {
    let mut list = Place::new(3);
    list.list = true;
    list.children.insert("0".to_owned(), Place::new(4));
    let mut root = Place::new(1);
    root.children.insert("a".to_owned(), list);
    let cases: [(&[&str], &str, usize); 6] = [
        (&[], "", 1),
        (&["a"], "a", 3),
        (&["a", "0"], "a[0]", 4),
        (&["a", "0", "x.y", ""], "a[0].\"x.y\".\"\"", 4),
        (&["b", "0"], "b.0", 1),
        (&["\u{7}"], "\"\\u{7}\"", 1),
    ];
    for (at, key, line) in cases {
        let key = key.to_owned();
        assert_eq!(root.find(at), Found { key, line });
    }
}
