use super::*;

fn count(path: &str, text: &str) -> usize {
    check(&SourceFile::new(path, text)).len()
}

const PATH: &str = "crates/channel-x/src/testdata/message.json";

/// Put together here, so that no scanner takes this file for a leak.
fn tokens() -> Vec<String> {
    let filler = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0";
    let part = |length: usize| filler.chars().take(length).collect::<String>();
    vec![
        format!("xoxb-{}", part(24)),
        format!("ghp_{}", part(36)),
        format!("sk-ant-{}", part(30)),
        format!("eyJ{}.{}", part(20), part(30)),
        format!("123456789:{}", part(35)),
        format!("{}.{}.{}", part(24), part(6), part(27)),
    ]
}

#[test]
fn tokens_are_found() {
    for token in tokens() {
        let text = format!("{{\n  \"token\": \"{token}\"\n}}\n");
        assert_eq!(count(PATH, &text), 1, "{token}");
        assert_eq!(count("crates/channel-x/src/other.json", &text), 0);
    }
    let key = "\"-----BEGIN RSA PRIVATE KEY-----\\nabc\"";
    assert_eq!(count(PATH, key), 1);
}

#[test]
fn ordinary_messages_pass() {
    for text in [
        "{\"text\": \"task-list: sk-8 eyJ\", \"id\": 123456789}",
        "{\"url\": \"https://files.example.org/a/b.c.d\", \"at\": \"2026-01-02T03:04:05.678Z\"}",
        "{\"uuid\": \"0197b2c0-5b5e-7c3a-9d7e-0123456789ab\"}",
    ] {
        assert_eq!(count(PATH, text), 0, "{text}");
    }
}
