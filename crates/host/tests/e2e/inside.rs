//! What the wall looks like from inside, by the agent's own commands.

use std::fs;

use crate::e2e::{
    harness::{HOST_SECRET, Place},
    wall::Wall,
};

pub(crate) async fn nothing_outside_can_be_written(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let script = "!sh for f in /anchorhold/in/x /anchorhold/in/inbox/x /anchorhold/bin/x \
                  /anchorhold/x /usr/x /etc/x /x; do \
                  (: > $f) 2>/dev/null && echo $f written || echo $f refused; done; \
                  for f in /anchorhold/in/inbound.db /anchorhold/bin/agent-runner /etc/passwd; do \
                  (: >> $f) 2>/dev/null && echo $f written || echo $f refused; \
                  rm -f $f 2>/dev/null && echo $f gone || echo $f stays; done";
    let expected = "agent: /anchorhold/in/x refused\n/anchorhold/in/inbox/x refused\n\
                    /anchorhold/bin/x refused\n/anchorhold/x refused\n/usr/x refused\n\
                    /etc/x refused\n/x refused\n\
                    /anchorhold/in/inbound.db refused\n/anchorhold/in/inbound.db stays\n\
                    /anchorhold/bin/agent-runner refused\n/anchorhold/bin/agent-runner stays\n\
                    /etc/passwd refused\n/etc/passwd stays\nexit status 0";
    assert_eq!(person.ask(script).await, expected);
    let script = "!sh for d in /workspace /anchorhold/out /tmp; do \
                  (: > $d/x) && echo $d written; done";
    let expected = "agent: /workspace written\n/anchorhold/out written\n/tmp written\n\
                    exit status 0";
    assert_eq!(person.ask(script).await, expected);
    place.stop().await;
}

pub(crate) async fn nothing_of_the_host_is_visible(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut neighbour = place.person("neighbour").await;
    neighbour.ask("hello").await;
    let mut person = place.person("local").await;
    fs::write(place.path("secret"), "a file of the host").unwrap();
    let data = place.data();
    let script = format!(
        "!sh ls -d {dir} {data} {dir}/secret /proc/1/root{dir}/secret 2>/dev/null; \
         ls -A /root /home 2>/dev/null | grep -v :; ls /anchorhold; \
         ls /anchorhold/in; cat /proc/*/environ | tr '\\0' '\\n' | grep -c {secret}",
        dir = place.dir.path().display(),
        secret = HOST_SECRET.0,
    );
    // The image has a home of its own.
    let homes = match wall {
        Wall::Docker => "agent\n",
        Wall::Sandbox => "",
    };
    let expected = format!(
        "agent: {homes}bin\nin\nout\ninbound.db\ninbound.db-journal\ninbox\nway-out\n0\n\
         exit status 1"
    );
    let answer = person.ask(&script).await;
    // The doorbell's name is the runner's affair.
    let answer: Vec<&str> = answer
        .lines()
        .filter(|line| !line.contains("bell"))
        .collect();
    assert_eq!(answer.join("\n"), expected);
    let processes = person.ask("!sh ls /proc | grep -c '^[0-9]*$'").await;
    let count = processes
        .trim_start_matches("agent: ")
        .lines()
        .next()
        .unwrap();
    let count: u32 = count.parse().unwrap();
    assert!(count < 10, "only its own processes: {processes}");
    place.stop().await;
}

pub(crate) async fn there_is_no_network_and_no_privilege(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let script = "!sh tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; \
                  grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' \
                  /proc/self/status; id -u; \
                  unshare -U true 2>/dev/null && echo namespace; \
                  mount -t tmpfs x /tmp 2>/dev/null && echo mounted; :";
    let none = "0000000000000000";
    let expected = format!(
        "agent: lo\nCapInh:\t{none}\nCapPrm:\t{none}\nCapEff:\t{none}\nCapBnd:\t{none}\n\
         CapAmb:\t{none}\nNoNewPrivs:\t1\nSeccomp:\t2\n{}\nexit status 0",
        wall.uid()
    );
    assert_eq!(person.ask(script).await, expected);
    place.stop().await;
}
