use proptest::prelude::*;
use serde_json::json;

use super::*;

const ME: Snowflake = Snowflake(42);

fn people() -> Vec<User> {
    serde_json::from_value(json!([
        { "id": "42", "username": "bot", "global_name": "Helper", "bot": true },
        { "id": "7", "username": "ann", "global_name": null },
    ]))
    .unwrap()
}

#[track_caller]
fn check(content: &str, expect: &str) {
    assert_eq!(plain(content, &people(), ME), expect);
}

#[test]
fn ids_are_read_as_names() {
    check("<@42> hello", "@Helper hello");
    check("<@!42>", "@Helper");
    check("ask <@7>!", "ask @ann (<@7>)!");
    check("ask <@8>", "ask <@8>");
    check("<:party:123> <a:dance:9>", ":party: :dance:");
    check(
        "<#5> <@&6> a < b > c <https://a.example>",
        "<#5> <@&6> a < b > c <https://a.example>",
    );
    check("<@> <@x> <:a:b> <", "<@> <@x> <:a:b> <");
}

#[test]
fn people_are_named_once_each() {
    let text = "<@7> and <@!7> and <@8>, not <@&9>, @everyone or ann@example.org";
    assert_eq!(named(text), [Snowflake(7), Snowflake(8)]);
    let many: Vec<String> = (1..=200).map(|n| format!("<@{n}>")).collect();
    assert_eq!(named(&many.concat()).len(), NAMED_LIMIT);
}

#[test]
fn a_table_that_gets_too_long_stays_as_it_is() {
    let row = format!("| {} | b |\n", "x".repeat(30));
    let table = format!("{row}|---|---|\n{}", "| c | d |\n".repeat(150));
    assert!(fits(&table, TEXT));
    assert_eq!(shown(&table), table);
}

proptest! {
    /// Whatever is said, nothing of it gets lost or makes this panic.
    #[test]
    fn any_text_is_read(text in "[<>@!:a0-9 é\n|-]{0,60}") {
        let all: String = pieces(&text).iter().map(|piece| match piece {
            Piece::Words(words) => (*words).to_owned(),
            Piece::Person(_) | Piece::Emoji(_) => String::new(),
        }).collect();
        prop_assert!(all.len() <= text.len());
        let _read = (plain(&text, &people(), ME), named(&text));
        prop_assert!(fits(&shown(&text), TEXT));
    }
}
