use super::*;

fn column(channel: &str, text: &str) -> Column {
    Column::read(channel, text).unwrap()
}

#[test]
fn reports_become_columns_of_one_table() {
    let table = Table::of(vec![
        column(
            "b",
            "running 1 test\npassed   it_works\nskipped  it_flies: it has no wings\n",
        ),
        column(
            "a",
            "passed   it_works\npassed   it_flies\ntest result: ok.",
        ),
    ])
    .unwrap();
    assert_eq!(table.summary(), "2 channels, 2 promises each");
    let page = format!("before\n{BEGIN}old\n{END}\nafter\n");
    let drawn = "| Promise | `a` | `b` |\n|---|:-:|:-:|\n| it works | ✓ | ✓ |\n\
                 | it flies | ✓ | – |\n";
    let after = format!("before\n{BEGIN}{drawn}{END}\nafter\n");
    assert_eq!(table.put_into(&page).unwrap(), after);
    assert_eq!(table.put_into(&after).unwrap(), after);
}

#[test]
fn what_is_no_report_is_no_column() {
    assert!(Column::read("a", "running 0 tests\n").is_err());
    let failed = Column::read("a", "passed   one\nFAILED   two: it did not\n");
    assert_eq!(
        failed.unwrap_err().to_string(),
        "a: FAILED   two: it did not"
    );
    let (a, b) = (column("a", "passed one"), column("b", "passed two"));
    assert!(Table::of(vec![a, b]).is_err());
    assert!(Table::of(vec![]).is_err());
    let table = Table::of(vec![column("a", "passed one")]).unwrap();
    assert!(table.put_into("no table").is_err());
}
