use super::*;

fn archive(uri: &str, suite: &str, components: &[&str]) -> Archive {
    Archive {
        uri: uri.to_owned(),
        suite: suite.to_owned(),
        components: components.iter().map(|&part| part.to_owned()).collect(),
    }
}

#[test]
fn the_release_has_a_name() {
    let name = code_name("NAME=\"Debian\"\nVERSION_CODENAME=bookworm\n");
    assert_eq!(name.as_deref(), Some("bookworm"));
    assert_eq!(code_name("NAME=Other\n"), None);
}

#[test]
fn one_line_format() {
    let archives = one_line(
        "# deb http://off.example/ bookworm main\n\
         deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # why\n\
         deb-src http://mirror.example/debian bookworm main\n\
         deb http://mirror.example/debian bookworm-updates main\n",
    );
    assert_eq!(
        archives,
        [
            archive(
                "http://mirror.example/debian",
                "bookworm",
                &["main", "contrib"]
            ),
            archive(
                "http://mirror.example/debian",
                "bookworm-updates",
                &["main"]
            ),
        ]
    );
}

#[test]
fn stanza_format() {
    let archives = stanzas(
        "Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian\n\
         Suites: bookworm bookworm-updates\nComponents: main\n\n\
         Types: deb-src\nURIs: http://sources.example/\nSuites: bookworm\nComponents: main\n\n\
         Enabled: no\nTypes: deb\nURIs: http://off.example/\nSuites: bookworm\nComponents: main\n",
    );
    assert_eq!(
        archives,
        [
            archive("http://mirror.example/debian", "bookworm", &["main"]),
            archive(
                "http://mirror.example/debian",
                "bookworm-updates",
                &["main"]
            ),
        ]
    );
}

#[test]
fn only_the_release_itself_will_do() {
    let right = archive("http://mirror.example/debian", "bookworm", &["main"]);
    let others = vec![
        archive(
            "http://mirror.example/debian",
            "bookworm-updates",
            &["main"],
        ),
        archive("http://other.example/", "bookworm", &["stable"]),
        archive("cdrom:[disc]/", "bookworm", &["main"]),
    ];
    assert_eq!(choose(others.clone(), "bookworm"), None);
    let mut all = others;
    all.push(right.clone());
    assert_eq!(choose(all, "bookworm"), Some(right));
}
