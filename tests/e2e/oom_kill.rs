//! The kernel ends an agent for want of memory, in the middle of its work: every write acknowledged with `acks=1`
//! survives, and the agent has everything again when it is back.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{AGENT, process};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "oom-kill",
    promise: Promise::Acknowledged,
    sentence: "an_agent_that_the_kernel_ends_for_want_of_memory_takes_no_acknowledged_write_with_it",
    alone: false,
    run,
};

/// What is left to the agent's container, in bytes: a neighbour takes it within moments.
const LEFT: u64 = 16 << 20;

/// A shell program: a process joins the control group and takes what there is, and never more than 256 MiB.
const GREEDY: &str = r#"ulimit -v 262144 && echo $$ > "$0/cgroup.procs" && exec tail /dev/zero"#;

/// A process in the agent's control group that takes all of its memory. The kernel prefers to end the agent: its
/// `oom_score_adj` is that of a container which asks for little.
struct Neighbour(Child);

// === impl Neighbour ===

impl Neighbour {
    fn of(group: &Path) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", GREEDY]).arg(group).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(shell.spawn().context("cannot run a shell")?))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // The kernel may have ended it, too.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let victim = stage.pods.ready().into_iter().next().context("no pod is ready")?;
    let before = crowd.acknowledged();
    let group = memory_group(victim.uid())?;
    limit(&group)?;
    let neighbour = Neighbour::of(&group)?;
    wait::until(LIMIT, "the agent runs again and its pod is ready", || {
        let pod = stage.pods.last_seen(victim.uid()).context("the pod is gone")?;
        ensure!(pod.agent_restarts() == 1 && pod.ready(), "restarts: {}", pod.agent_restarts());
        let end = &pod.agent().context("it has no agent")?["lastState"]["terminated"];
        ensure!(end["reason"] == "OOMKilled", "it ended otherwise: {end}");
        Ok(())
    })?;
    drop(neighbour);
    ensure!(crowd.acknowledged() > before, "nobody could play");
    stage.check(crowd)
}

/// The agent's control group: of version 2, or of the memory controller of version 1.
fn memory_group(pod_uid: &str) -> Result<PathBuf> {
    let agent = process(pod_uid, &AGENT)?.as_raw_nonzero();
    let groups = std::fs::read_to_string(format!("/proc/{agent}/cgroup"))?;
    let of = |controllers: &str| groups.lines().find_map(|line| line.split_once(controllers).map(|(_, path)| path));
    let first = of(":memory:").map(|path| format!("/sys/fs/cgroup/memory{path}"));
    let group = first.or_else(|| of("0::").map(|path| format!("/sys/fs/cgroup{path}")));
    Ok(group.context("it has no control group")?.into())
}

fn limit(group: &Path) -> Result<()> {
    let files = [("memory.usage_in_bytes", "memory.limit_in_bytes"), ("memory.current", "memory.max")];
    let version = files.into_iter().find(|(used, _)| group.join(used).exists());
    let (used, limit) = version.with_context(|| format!("{} limits no memory", group.display()))?;
    let used: u64 = std::fs::read_to_string(group.join(used))?.trim().parse()?;
    std::fs::write(group.join(limit), (used + LEFT).to_string()).context("cannot limit the agent's memory")
}
