use super::*;

const FSYNC: Fsync = Fsync {
    p50_ms: 2.0,
    p99_ms: 9.0,
    samples: 200,
};

fn expected(name: &str) -> &'static Expected {
    let mut all = expected::FIGURES.iter();
    all.find(|expected| expected.name == name).unwrap()
}

#[test]
fn a_time_is_judged_by_what_an_fsync_cost() {
    let figure = Figure::new(expected("warm-docker.p50"), 18.0, FSYNC, None);
    assert_eq!(figure.in_fsyncs, Some(9.0));
    assert_eq!(
        figure.target,
        Some(Judged {
            formula: "8 f + 4 ms".to_owned(),
            bound: 20.0,
            met: true,
            ratio: 0.9,
        })
    );
    assert!(!figure.misses());
    let baseline = figure.baseline.unwrap();
    assert!((baseline.ratio - 18.0 / 1005.0).abs() < 1e-9);
    assert!(Figure::new(expected("warm-docker.p50"), 20.1, FSYNC, None).misses());
}

#[test]
fn a_count_is_judged_by_itself() {
    let figure = Figure::new(expected("syncs-sandbox.path"), 8.0, FSYNC, None);
    assert_eq!(figure.in_fsyncs, None);
    assert!(!figure.misses());
    assert!(Figure::new(expected("syncs-sandbox.path"), 9.0, FSYNC, None).misses());
}

#[test]
fn a_figure_without_a_target_misses_none() {
    let figure = Figure::new(expected("warm-sandbox.max"), 1e9, FSYNC, None);
    assert_eq!(
        (figure.target.clone(), figure.baseline.clone()),
        (None, None)
    );
    assert!(!figure.misses());
}

#[test]
fn findings_know_the_names_of_figures() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(folder.path()).unwrap();
    assert!(disk.cost().is_err());
    disk.probe(3).unwrap();
    assert_eq!(disk.cost().unwrap().samples, 3);
    let mut findings = Findings::new("size", &disk).unwrap();
    findings.add("runner", 4.0).unwrap();
    assert!(findings.add("host", 4.0).is_err());
    let names: Vec<_> = findings.finish().iter().map(|figure| figure.name).collect();
    assert_eq!(names, ["size.runner"]);
}
