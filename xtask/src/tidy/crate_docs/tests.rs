use super::*;

const GOOD: &str = "//! For this.\n//!\n//! Not for that.\n//! Start here.\n\nmod route;\n";

fn places(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| SourceFile::new(path, text))
        .collect();
    check(&files).into_iter().map(|found| found.place).collect()
}

#[test]
fn a_crate_must_say_what_it_is_for() {
    for bad in [
        "mod route;\n",
        "//! (being written)\n",
        "//! For this.\n//!\n//!\n//!\nmod route;\n",
        "mod route;\n//! For this.\n//! Not for that.\n//! Start here.\n",
    ] {
        for path in ["crates/core/src/lib.rs", "xtask/src/main.rs"] {
            assert_eq!(places(&[(path, bad)]), [path], "{bad}");
        }
    }
    let none: Vec<String> = vec![];
    assert_eq!(places(&[("crates/core/src/lib.rs", GOOD)]), none);
    assert_eq!(places(&[("crates/core/src/route.rs", "mod a;\n")]), none);
}

#[test]
fn a_program_beside_its_library_may_be_brief() {
    let library = ("crates/host/src/lib.rs", GOOD);
    let path = "crates/host/src/main.rs";
    let none: Vec<String> = vec![];
    assert_eq!(places(&[library, (path, "//! The program.\n")]), none);
    assert_eq!(places(&[library, (path, "fn main() {}\n")]), [path]);
}
