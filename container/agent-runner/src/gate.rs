//! The script of a task: it says whether the agent is woken, before any model is asked.
//!
//! It is a command line that the agent wrote, run in its workspace like one of its tools. Its last line
//! is JSON: `{"wakeAgent": true, "data": …}`, or `{"wakeAgent": false}` where there is nothing to do.

use anchorhold_sessiondb::TASK_SCRIPT_LIMIT;
use serde::Deserialize;
use serde_json::Value;

use crate::{provider::TurnIo, report};

/// What a script said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// The agent is to be woken, with this as JSON.
    Wakes(Option<String>),
    /// There is nothing to do.
    Sleeps,
    /// It did not say, for this reason.
    Failed(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    wake_agent: bool,
    data: Option<Value>,
}

/// Runs a script and reads its verdict. Dropping the future ends the script.
pub(crate) async fn ask(io: &TurnIo, script: &str) -> Gate {
    match io.run_script(script, TASK_SCRIPT_LIMIT).await {
        Ok(Ok(output)) => verdict(&output),
        Ok(Err(why)) => Gate::Failed(format!("its script failed: {why}")),
        Err(error) => Gate::Failed(format!("its script failed: {}", report(&error))),
    }
}

/// What the last line of the output says.
fn verdict(output: &str) -> Gate {
    let last = output.lines().rfind(|line| !line.trim().is_empty());
    match last.map(serde_json::from_str::<Verdict>) {
        Some(Ok(Verdict {
            wake_agent: true,
            data,
        })) => Gate::Wakes(data.map(|data| data.to_string())),
        Some(Ok(Verdict {
            wake_agent: false, ..
        })) => Gate::Sleeps,
        // What it is instead may be anything, and is not quoted.
        Some(Err(_)) | None => Gate::Failed(
            "the last line of its script is not JSON with `wakeAgent` true or false".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_decides() {
        let check = |output: &str, expect: Gate| assert_eq!(verdict(output), expect, "{output:?}");
        let unclear = verdict("");
        assert!(matches!(unclear, Gate::Failed(_)));
        check("{\"wakeAgent\": false}", Gate::Sleeps);
        check(
            "hello\n{\"wakeAgent\": false, \"data\": 1}\n\n",
            Gate::Sleeps,
        );
        check("{\"wakeAgent\": true}\n", Gate::Wakes(None));
        check("{\"wakeAgent\": true, \"data\": null}\n", Gate::Wakes(None));
        let data = Some("{\"new\":[1,2]}".to_owned());
        check(
            "x\n{\"data\": {\"new\": [1, 2]}, \"wakeAgent\": true}",
            Gate::Wakes(data),
        );
        for wrong in [
            "\n\n",
            "true",
            "{}",
            "{\"wakeAgent\": \"yes\"}",
            "{\"wakeAgent\": true}\nbye",
            "{\"wakeAgent\": tru",
        ] {
            check(wrong, unclear.clone());
        }
    }
}
