//! A hold that cannot succeed is ended by a person: at once, recorded as failed, and the rollout that waited for it says
//! so. What survivors had is kept.

use anyhow::{Context, Result, bail, ensure};
use baton_tests::arena::Arena;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait::until;
use serde_json::json;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "release",
    promise: Promise::Told,
    sentence: "a_hold_that_is_released_by_hand_is_recorded_as_failed",
    alone: false,
    run,
};

fn run(stage: &Stage) -> Result<()> {
    // More survivors than there will ever be.
    let group = json!({"handoff": {"acks": 3, "timeout": "150s"}});
    let crowd = stage.play(&Arena { group, ..Arena::of(1) })?;
    let old = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    let refused = stage.baton(&["release", old.name()])?;
    ensure!(refused.with_code(1).is_ok() && refused.stderr.contains("is not held"), "{refused:?}");

    let restart = std::thread::scope(|scope| {
        let restart = scope.spawn(|| stage.baton(&["rollout", "restart", "deploy/arena", "--wait", "--timeout", "4m"]));
        let released = until(LIMIT, "the hold of the old pod is released", || {
            let said = stage.baton(&["release", old.name()])?;
            ensure!(said.with_code(0)?.contains("counts as failed"), "{said:?}");
            Ok(())
        });
        match restart.join() {
            Ok(restart) => released.and(restart),
            Err(_) => bail!("the thread of the restart has panicked"),
        }
    })?;
    restart.with_code(3)?;
    let told = format!("pod {} did NOT hand off (Released)", old.name());
    ensure!(restart.stderr.contains(&told), "{restart:?}");

    stage.wait_record(old.name(), "False")?;
    let failed = stage.baton(&["handoffs", "--failed", "-o", "json"])?.json()?;
    let (record, end) = (&failed["items"][0], stage.ends(std::slice::from_ref(&old))?);
    ensure!(
        record["spec"]["podName"] == old.name() && record["status"]["conditions"][0]["reason"] == "Released",
        "{failed}"
    );
    ensure!(end[0].1.code == 1 && end[0].1.farewell.as_ref().is_some_and(|said| said.outcome == "failed"), "{end:?}");
    stage.wait_event("Pod", old.name(), "FailedPreStopHook")?;
    stage.wait_event("Pod", old.name(), "HandoffFailed")?;
    stage.wait_condition("arena", "Degraded", "True", Some("HandoffFailed"))?;
    let doctor = stage.baton(&["doctor"])?;
    ensure!(doctor.stdout.contains("Degraded (HandoffFailed)") && doctor.stdout.contains("only pod"), "{doctor:?}");
    stage.check(crowd)
}
