use super::*;

fn source() -> SecretSource {
    SecretSource {
        env: Box::new(|name| match name {
            "TOKEN" => Some("s3cret".into()),
            "EMPTY" => Some(String::new()),
            "LONG" => Some("x".repeat(LIMIT_BYTES + 1)),
            _ => None,
        }),
        file: Box::new(|path| match path.as_str() {
            "/run/token" => Ok("from a file\r\n".into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }),
    }
}

fn resolve(text: &str) -> Result<String, String> {
    SecretRef::parse(text)
        .and_then(|reference| reference.resolve(&source()))
        .map(|secret| secret.expose().to_owned())
        .map_err(|error| error.to_string())
}

#[test]
fn a_secret_comes_by_reference_only() {
    let none = "a secret is given as `env:NAME` or `file:PATH`, never in the file itself";
    let variable = "after `env:` comes the name of a variable: letters, digits and `_`";
    let path = "after `file:` comes an absolute path";
    let cases: [(&str, Result<&str, &str>); 10] = [
        ("env:TOKEN", Ok("s3cret")),
        ("file:/run/token", Ok("from a file")),
        ("s3cret", Err(none)),
        ("", Err(none)),
        ("env:", Err(variable)),
        ("env:A B", Err(variable)),
        ("file:relative", Err(path)),
        (
            "env:OTHER",
            Err("the environment variable OTHER is not set"),
        ),
        ("env:EMPTY", Err("the secret at env:EMPTY is empty")),
        ("file:/no", Err("the secret file /no can't be read")),
    ];
    for (text, expect) in cases {
        let expect = expect.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(resolve(text), expect, "{text}");
    }
    assert_eq!(
        resolve("env:LONG"),
        Err("the secret at env:LONG is longer than 65536 bytes".into())
    );
}

#[test]
fn a_secret_is_never_printed() {
    let reference = SecretRef::parse("env:TOKEN").unwrap();
    let secret = reference.resolve(&source()).unwrap();
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    assert_eq!(reference.to_string(), "env:TOKEN");
}
