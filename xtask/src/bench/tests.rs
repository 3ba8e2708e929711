use super::*;

fn names(only: &[&str]) -> Result<Vec<&'static str>> {
    let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
    let chosen = chosen(&only)?;
    Ok(chosen.into_iter().map(|(name, _)| name).collect())
}

#[test]
fn measurements_are_chosen_by_how_their_names_begin() {
    assert_eq!(names(&[]).unwrap().len(), ALL.len());
    assert_eq!(names(&["warm"]).unwrap(), ["warm-sandbox", "warm-docker"]);
    assert_eq!(
        names(&["cold-docker", "size", "start"]).unwrap(),
        ["size", "start", "cold-docker"]
    );
    let said = names(&["size", "wram"]).unwrap_err().to_string();
    assert!(
        said.contains("wram") && said.contains("warm-sandbox"),
        "{said}"
    );
}

#[test]
fn names_say_which_measurements_need_an_engine() {
    for (name, measure) in ALL {
        assert_eq!(measure.needs_engine(), name.ends_with("-docker"), "{name}");
    }
}
