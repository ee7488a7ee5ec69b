//! `release`: ends the hold of a pod that is stuck, as failed.
//!
//! The agent's own command does it, run in the agent's container: its control socket is open to nobody else, so neither
//! the app nor another pod can end a hold.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Duration, timeout};

use baton_crds::label::AGENT_CONTAINER;

use crate::args::ReleaseArgs;
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::{member, output};

/// The command in the agent's image.
const COMMAND: [&str; 2] = ["/baton-agent", "release"];

/// How long it may take: the agent answers within two seconds or not at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the command ended in the agent's container.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// The hold has ended.
    Released,
    /// There was no hold.
    NotHeld,
    /// The agent knows no such command.
    Older,
    /// It did not work.
    Failed(String),
}

/// Runs the command.
pub(crate) async fn run(cluster: &Cluster, args: &ReleaseArgs) -> Result<Outcome, Failure> {
    let pods = cluster.api::<Pod>();
    let name = &args.pod;
    let pod = pods.get_opt(name).await.map_err(|error| Failure::of(&error, &format!("read pod {name}")))?;
    let Some(pod) = pod else {
        return Err(Failure::new(format!("there is no pod {name} in namespace {}", cluster.namespace))
            .hint("if it was held, it is not any more: `kubectl baton handoffs` shows how it left"));
    };
    if member::agent(&pod).is_none() {
        return Err(Failure::new(format!("pod {name} has no agent: Baton does not hold it"))
            .hint("what else holds a pod are its containers' own preStop hooks, and finalizers"));
    }
    let params = AttachParams::default().container(AGENT_CONTAINER).stdout(true).stderr(true);
    let executed = timeout(PATIENCE, pods.exec(name, COMMAND, &params)).await;
    let late = || Failure::new(format!("the agent of pod {name} does not answer")).hint(FROZEN);
    let mut process =
        executed.map_err(|_| late())?.map_err(|error| Failure::of(&error, &format!("run a command in pod {name}")))?;
    let said = timeout(PATIENCE, text(process.stderr())).await.map_err(|_| late())?;
    let status = match process.take_status() {
        Some(status) => timeout(PATIENCE, status).await.map_err(|_| late())?,
        None => None,
    };
    tell(name, answer(status.as_ref(), &said))
}

/// What is left if the agent itself is stuck.
const FROZEN: &str = "if the agent is frozen, its hook gives up within seconds by itself; \
     `kubectl delete pod --force --grace-period=0` ends a pod on a node that is gone";

fn tell(pod: &str, answer: Answer) -> Result<Outcome, Failure> {
    match answer {
        Answer::Released => {
            output::text(&format!("pod/{pod} released: its handoff counts as failed\n"))?;
            Ok(Outcome::Well)
        }
        Answer::NotHeld => Err(Failure::new(format!("pod {pod} is not held by Baton: nothing was changed")).hint(
            "`kubectl baton members` shows who is leaving; a pod whose hold is over waits for its own containers to end",
        )),
        Answer::Older => Err(Failure::new(format!("the agent of pod {pod} is of a release without `release`"))
            .hint("its hold ends by itself after handoff.timeout")),
        Answer::Failed(reason) => Err(Failure::new(format!("pod {pod} was not released: {reason}")).hint(FROZEN)),
    }
}

fn answer(status: Option<&Status>, said: &str) -> Answer {
    let Some(status) = status else { return Answer::Failed(said.trim().to_owned()) };
    if status.status.as_deref() == Some("Success") {
        return Answer::Released;
    }
    match exit_code(status) {
        Some(3) => Answer::NotHeld,
        Some(2) => Answer::Older,
        _ if said.trim().is_empty() => Answer::Failed(status.message.clone().unwrap_or_default()),
        _ => Answer::Failed(said.trim().to_owned()),
    }
}

fn exit_code(status: &Status) -> Option<i32> {
    let causes = status.details.as_ref()?.causes.as_ref()?;
    causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?.message.as_ref()?.parse().ok()
}

async fn text(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What came is what there is to tell.
        let _ = stream.take(64 * 1024).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture::object;

    fn ended(code: &str) -> Status {
        object(json!({
            "status": "Failure", "reason": "NonZeroExitCode", "message": format!("exit code {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code}]},
        }))
    }

    #[test]
    fn the_exit_code_of_the_agent_says_what_happened() {
        assert_eq!(answer(Some(&object(json!({"status": "Success"}))), ""), Answer::Released);
        assert_eq!(answer(Some(&ended("3")), "nothing is held"), Answer::NotHeld);
        assert_eq!(answer(Some(&ended("2")), "error: unrecognized subcommand"), Answer::Older);
        assert_eq!(answer(Some(&ended("1")), " no agent answers\n"), Answer::Failed("no agent answers".into()));
        assert_eq!(answer(Some(&ended("137")), ""), Answer::Failed("exit code 137".into()));
        assert_eq!(answer(None, "cut off"), Answer::Failed("cut off".into()));
    }
}
