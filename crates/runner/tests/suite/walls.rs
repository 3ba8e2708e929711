//! What a sandbox can and can't reach.

use std::fs;

use anchorhold_core::sandbox::ExitStatus;
use anchorhold_runner::{error::RuntimeError, spec::Mount};

use super::{Bench, log, output};

/// The report of what a process inside is allowed, the same text for both runtimes.
const WALLS: &str = "\
NoNewPrivs 1
CapInh 0000000000000000
CapPrm 0000000000000000
CapEff 0000000000000000
CapBnd 0000000000000000
CapAmb 0000000000000000
Seccomp 2
root read-only
tmp writable
dev read-only
interface lo
";

pub(crate) async fn defect_14_the_walls_stand(bench: Bench) {
    let report = bench
        .report(
            r#"
            for key in NoNewPrivs CapInh CapPrm CapEff CapBnd CapAmb Seccomp; do
                while read -r name value; do
                    [ "$name" = "$key:" ] && echo "$key $value"
                done </proc/self/status
            done
            may() { if (: >"$2/probe") 2>/dev/null; then echo "$1 writable"; else echo "$1 read-only"; fi; }
            may root ""
            may tmp /tmp
            may dev /dev
            for entry in /sys/class/net/* /proc/net/dev; do
                [ "$entry" = /proc/net/dev ] && while read -r name rest; do
                    case "$name" in *:) echo "interface ${name%:}" ;; esac
                done <"$entry"
            done
            true"#,
        )
        .await;
    assert_eq!(report, WALLS);
}

pub(crate) async fn mounts_are_what_the_spec_says(bench: Bench) {
    let spec = bench.spec(
        r#"
        cat /anchorhold/in/hello >report
        (echo x >/anchorhold/in/new) 2>/dev/null || echo 'in refuses a new file' >>report
        (echo x >>/anchorhold/in/hello) 2>/dev/null || echo 'in refuses a change' >>report
        (rm /anchorhold/in/hello) 2>/dev/null || echo 'in refuses a removal' >>report
        echo x >/anchorhold/out/new && echo 'out takes a new file' >>report
        for entry in /anchorhold/*; do echo "$entry" >>report; done"#,
    );
    assert_eq!(
        bench.run(&spec).await,
        ExitStatus::Code(0),
        "{}",
        log(&spec)
    );
    let expect = "hello\nin refuses a new file\nin refuses a change\nin refuses a removal\n\
                  out takes a new file\n/anchorhold/in\n/anchorhold/out\n";
    assert_eq!(output(&spec, "report"), expect);
    let out = &spec.mounts.last().unwrap().source;
    let meta = fs::metadata(out.join("new")).unwrap();
    let owner = (
        std::os::unix::fs::MetadataExt::uid(&meta),
        std::os::unix::fs::MetadataExt::gid(&meta),
    );
    assert_eq!(owner, (spec.user.uid, spec.user.gid));
}

pub(crate) async fn nothing_of_the_host_shows(bench: Bench) {
    let secret = bench.path("secret");
    fs::write(&secret, "secret").unwrap();
    let report = bench
        .report(&format!(
            r#"
            for path in {secret} /etc/shadow /root/.bashrc /var/lib /usr/local/bin/* /home/*; do
                [ -e "$path" ] && echo "there is $path"
            done
            for fd in /proc/self/fd/[3-9]; do
                case "$(readlink "$fd")" in /proc/*|'') ;; /*) echo "open: $(readlink "$fd")" ;; esac
            done
            true"#
        ))
        .await;
    assert_eq!(report, "");
}

pub(crate) async fn the_environment_is_the_specs(bench: Bench) {
    let report = bench.report("env").await;
    // What shells and engines add is no content of the host's.
    let added = [
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "HOSTNAME",
        "HOME",
        "ANCHORHOLD_SANDBOX",
    ];
    let mut own: Vec<&str> = report
        .lines()
        .filter(|line| !added.contains(&line.split('=').next().unwrap()))
        .collect();
    own.sort_unstable();
    assert_eq!(own, ["OUT=/anchorhold/out", "PATH=/usr/bin:/bin"]);
}

pub(crate) async fn arguments_are_never_interpreted(bench: Bench) {
    let mut spec = bench.spec(r#"printf '%s\n' "$0" "$1" "$ODD" >report"#);
    let odd = "a b; $(touch /tmp/x) 'q' \"d\" `e` \\ \u{e9}\n--unshare-net";
    spec.command.extend([odd.to_owned(), "--".to_owned()]);
    spec.env.push(("ODD".to_owned(), odd.to_owned()));
    assert_eq!(
        bench.run(&spec).await,
        ExitStatus::Code(0),
        "{}",
        log(&spec)
    );
    assert_eq!(output(&spec, "report"), format!("{odd}\n--\n{odd}\n"));
}

pub(crate) async fn a_missing_source_is_refused(bench: Bench) {
    let mut spec = bench.spec("true");
    let first = spec.mounts.first_mut().unwrap();
    *first = Mount {
        source: bench.path("absent"),
        ..first.clone()
    };
    let runtime = (bench.fresh)();
    match runtime.start(&spec).await {
        Err(RuntimeError::Refused { .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(runtime.list(bench.install).await.unwrap(), vec![]);
}
