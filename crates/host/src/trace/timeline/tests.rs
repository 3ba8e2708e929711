use super::*;

#[test]
fn numbers_are_counted_as_people_count() {
    let counted = [1, 2, 3, 4, 11, 12, 13, 21, 102, 113].map(nth);
    let expect = [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "113th",
    ];
    assert_eq!(counted, expect);
}
