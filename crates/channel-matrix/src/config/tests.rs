use super::*;
use crate::tests::bench::context;

/// What is wrong with a table, as `key: what`.
fn problems(table: &str) -> Vec<String> {
    match read(&context("/nowhere".into()), table.parse().unwrap()) {
        Ok(_settings) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_good_table_has_no_problems() {
    for table in [
        "homeserver = \"https://mx.example/\"\nuser = \"@bot:mx.example\"\npassword = \"env:PASSWORD\"",
        "homeserver = \"http://127.0.0.1:8008\"\ntoken = \"env:TOKEN\"\ninvites = [\"@a:b\", \"mx.example\"]\n\
         recovery_key = \"env:TOKEN\"\nencrypt_directs = false",
    ] {
        assert_eq!(problems(table), Vec::<String>::new());
    }
}

#[test]
fn each_problem_is_named_and_no_secret_is() {
    let password = "homeserver = \"mx.example\"\nuser = \"bot\"\npassword = \"hunter2\"\ninvites = [\"*\", \"a b\"]";
    assert_eq!(
        problems(password),
        [
            "homeserver: has to be an address like \"https://matrix.example.org\"",
            "user: has to be like \"@bot:example.org\"",
            "password: a secret is given as `env:NAME` or `file:PATH`, never in the file itself",
            "invites: entry 2 has to be \"*\", \"@name:server\" or \"server\"",
            "user: is missing: give `user` and `password`, or `token`",
        ]
    );
    let both = "homeserver = \"https://a.b\"\ntoken = \"env:TOKEN\"\nuser = \"@a:b\"\npassword = \"env:PASSWORD\"";
    assert_eq!(
        problems(both),
        ["token: stands alone: with it neither `user` nor `password`"]
    );
}
