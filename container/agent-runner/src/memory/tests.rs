use camino::Utf8Path;

use super::*;

struct Workspace(tempfile::TempDir);

impl Workspace {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[track_caller]
    fn check(&self, words: &str, expect: &[(&str, u64)]) {
        let found = search(self.path(), words, 10).unwrap();
        let places: Vec<_> = found
            .iter()
            .map(|hit| (hit.path.as_str(), hit.line))
            .collect();
        assert_eq!(places, expect, "{words}: {found:?}");
    }
}

#[test]
fn what_is_remembered_is_found_as_it_is_now() {
    let workspace = Workspace::new();
    workspace.check("anything", &[]);
    workspace.put(
        "memory/people.md",
        "# Ann\nlikes tea\n\n# Bob\nlikes café au lait\n",
    );
    workspace.put("memory/deep/er/places.md", "The key is under the mat.");
    workspace.put(
        ".anchorhold/conversations/2026-01-31.md",
        "## 09:05\n**Ann**: the keys?",
    );
    workspace.put("AGENTS.md", "Be brief.");
    workspace.put("src/readme.md", "the key of the code");
    workspace.put("memory/data.json", "key");
    workspace.check("tea", &[("memory/people.md", 1)]);
    workspace.check("CAFE lait", &[("memory/people.md", 4)]);
    workspace.check("mat key", &[("memory/deep/er/places.md", 1)]);
    workspace.check(
        "keys ann",
        &[(".anchorhold/conversations/2026-01-31.md", 1)],
    );
    workspace.check("brief", &[("AGENTS.md", 1)]);
    // Where no place has all the words, some are enough.
    workspace.check("tea nowhere", &[("memory/people.md", 1)]);
    workspace.check("code", &[]);

    workspace.put("memory/people.md", "# Ann\nlikes coffee\n");
    workspace.check("tea", &[]);
    workspace.check("coffee", &[("memory/people.md", 1)]);
    fs::remove_file(workspace.path().join("memory/people.md")).unwrap();
    workspace.check("coffee", &[]);
}

#[test]
fn words_are_words_and_no_operators() {
    let workspace = Workspace::new();
    workspace.put("memory/a.md", "near or not");
    for words in [
        "\"",
        "NEAR(",
        "* -",
        "a AND",
        "text:near",
        "'; DROP TABLE files; --",
        "",
    ] {
        search(workspace.path(), words, 10).unwrap();
    }
    workspace.check("OR", &[("memory/a.md", 1)]);
}

#[test]
fn a_broken_index_is_made_anew() {
    let workspace = Workspace::new();
    workspace.put("memory/a.md", "something");
    workspace.put(".anchorhold/memory.db", &"no database ".repeat(500));
    workspace.check("something", &[("memory/a.md", 1)]);
}
