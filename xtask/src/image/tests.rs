use super::*;

#[test]
fn the_key_follows_every_part() {
    let base = key(&["FROM x", "debian"]);
    assert_eq!(base, key(&["FROM x", "debian"]));
    for other in [&["FROM y", "debian"][..], &["FROM x", "ubuntu"]] {
        assert_ne!(base, key(other), "{other:?}");
    }
    assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
}

#[test]
fn the_key_is_the_same_on_every_machine() {
    // FNV-1a of the byte 0xff: worked out by hand from the two constants of the function.
    assert_eq!(key(&[""]), "af64724c8602eb6e");
}

#[test]
fn arguments_of_a_recipe_are_found() {
    let recipe =
        "# ARG BASE=wrong\nARG BASE=debian:stable\nFROM ${BASE}\nARG PACKAGES=\"git jq\"\n";
    assert_eq!(argument(recipe, "BASE"), Some("debian:stable"));
    assert_eq!(argument(recipe, "PACKAGES"), Some("git jq"));
    assert_eq!(argument(recipe, "PACK"), None);
    assert_eq!(argument("FROM x\n", "BASE"), None);
}

#[test]
fn our_recipe_says_what_this_command_needs() {
    let recipe = include_str!("../../../container/Dockerfile");
    assert!(argument(recipe, "BASE").is_some());
    let packages = argument(recipe, "PACKAGES").unwrap();
    for tool in [
        "bash",
        "coreutils",
        "git",
        "curl",
        "jq",
        "ripgrep",
        "python3",
    ] {
        assert!(
            packages.split_whitespace().any(|package| package == tool),
            "{tool}"
        );
    }
}
