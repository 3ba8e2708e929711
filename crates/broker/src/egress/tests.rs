use super::*;

fn list(entries: &[&str]) -> Egress {
    Egress::new(
        entries
            .iter()
            .map(|text| Entry::parse(text).unwrap())
            .collect(),
    )
}

#[test]
fn an_entry_is_a_name_a_zone_or_an_address() {
    let check = |text: &str, expect: Result<&str, EgressError>| {
        let entry = Entry::parse(text).map(|entry| entry.to_string());
        assert_eq!(entry.as_deref().map_err(|error| *error), expect, "{text}");
    };
    check("example.org", Ok("example.org"));
    check("Example.ORG:443", Ok("example.org"));
    check("*.example.org:8443", Ok("*.example.org:8443"));
    check("192.0.2.7:8080", Ok("192.0.2.7:8080"));
    check("[2001:db8::1]", Ok("[2001:db8::1]"));
    check("[::ffff:10.0.0.1]:80", Ok("10.0.0.1:80"));
    for text in [
        "",
        "*",
        "*.",
        "*.192.0.2.7",
        "127.1",
        "0x7f000001",
        "2130706433",
        "a..b",
        ".example.org",
        "example.org.",
        "exa mple.org",
        "user@example.org",
        "https://example.org",
        "example.org/path",
        "2001:db8::1",
        "[127.0.0.1]",
        "a\r\nb.org",
        "пример.рф",
    ] {
        let failed = Entry::parse(text);
        assert!(failed.is_err(), "{text:?} is taken as {failed:?}");
    }
    for text in [
        "example.org:",
        "example.org:0",
        "example.org:+1",
        "example.org:65536",
        "[::1]x",
    ] {
        check(text, Err(EgressError::NoPort));
    }
}

#[test]
fn only_what_is_listed_is_on_the_list() {
    let egress = list(&["example.org", "*.cdn.example.org", "10.0.0.5:8080"]);
    let check = |to: &str, expect: bool| {
        assert_eq!(
            egress.lists(&Destination::parse(to).unwrap()),
            expect,
            "{to}"
        );
    };
    check("example.org:443", true);
    check("EXAMPLE.org:443", true);
    check("example.org:80", false);
    check("www.example.org:443", false);
    check("a.b.cdn.example.org:443", true);
    check("cdn.example.org:443", false);
    check("evilcdn.example.org:443", false);
    check("example.org.evil.net:443", false);
    check("10.0.0.5:8080", true);
    check("10.0.0.5:443", false);
    assert!(!Egress::default().lists(&Destination::parse("example.org:443").unwrap()));
}

#[test]
fn addresses_that_are_not_public_are_reached_only_by_address() {
    let check = |address: &str, expect: bool| {
        assert_eq!(is_public(address.parse().unwrap()), expect, "{address}");
    };
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "172.15.0.1",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
    ] {
        check(address, true);
    }
    for address in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "::127.0.0.1",
        "3fff::1",
    ] {
        check(address, false);
    }
    let egress = list(&["intern.example.org", "10.0.0.5:443", "[fd00::5]:443"]);
    assert!(egress.reaches("10.0.0.5".parse().unwrap(), 443));
    assert!(egress.reaches("fd00::5".parse().unwrap(), 443));
    assert!(egress.reaches("::ffff:10.0.0.5".parse().unwrap(), 443));
    assert!(!egress.reaches("10.0.0.5".parse().unwrap(), 80));
    assert!(!egress.reaches("10.0.0.6".parse().unwrap(), 443));
    assert!(egress.reaches("8.8.8.8".parse().unwrap(), 443));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}") {
        if let Ok(entry) = Entry::parse(&text) {
            assert_eq!(Entry::parse(&entry.to_string()), Ok(entry));
        }
        let _none = Destination::parse(&text);
    }
}
