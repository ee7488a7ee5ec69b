//! An agent's own API, through the API server: it listens on loopback of its pod, which a port-forward reaches.

use baton_crds::membership::MemberPhase;
use baton_crds::{HandoffGroup, Membership};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Portforwarder;
use kube::{Api, ResourceExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Duration, timeout};

use crate::args::SourceArgs;
use crate::cluster::Cluster;
use crate::failure::Failure;

/// The port of the app's API.
const PORT: u16 = 7070;

/// How long an agent may take for one answer: reads are local, but the way there has three hops.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many members are tried, if none is named.
const TRIES: usize = 3;

/// How long the reason of a broken forward may be late.
const REASON: Duration = Duration::from_millis(500);

/// The largest answer: a page of lists has some 8 MiB, and a value 4.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// One agent.
pub(crate) struct Agent {
    /// Its pod.
    pub(crate) pod: String,
    sender: SendRequest<Empty<Bytes>>,
    _forwarder: Portforwarder,
}

/// What an agent answers.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An error as agents write it.
#[derive(Deserialize)]
struct Refusal {
    message: String,
    hint: String,
}

// === impl Agent ===

impl Agent {
    /// Reaches the agent that the command line names, or one of those that hold the group's state.
    pub(crate) async fn of(cluster: &Cluster, source: &SourceArgs) -> Result<Self, Failure> {
        let pods = cluster.api::<Pod>();
        if let Some(pod) = &source.pod {
            return Self::reach(&pods, pod).await;
        }
        let group = match &source.group {
            Some(name) => cluster.group(name).await?.name_any(),
            None => only(&cluster.list::<HandoffGroup>("").await?, &cluster.namespace)?,
        };
        let list = cluster.api::<Membership>().get_opt(&group).await;
        let list = list.map_err(|error| Failure::of(&error, &format!("read Membership {group}")))?;
        let mut last = None;
        for pod in holders(list.as_ref()).into_iter().take(TRIES) {
            match Self::reach(&pods, &pod).await {
                Ok(agent) => return Ok(agent),
                Err(error) => last = Some(error),
            }
        }
        let nobody = || {
            Failure::new(format!("no member of HandoffGroup {group} is Active"))
                .hint(format!("`kubectl baton members {group}` shows who there is; --pod asks one that is not Active"))
        };
        Err(last.unwrap_or_else(nobody))
    }

    /// Reaches the agent of a pod.
    pub(crate) async fn reach(pods: &Api<Pod>, pod: &str) -> Result<Self, Failure> {
        let forwarder = timeout(PATIENCE, pods.portforward(pod, &[PORT])).await;
        let forwarder = forwarder.map_err(|_| unreachable(pod, "the API server does not answer"))?;
        let mut forwarder =
            forwarder.map_err(|error| Failure::of(&error, &format!("forward a port to the agent of pod {pod}")))?;
        let broken = || unreachable(pod, "the port was not forwarded");
        let (stream, reason) = forwarder.take_stream(PORT).zip(forwarder.take_error(PORT)).ok_or_else(broken)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(pod, &error.to_string()))?;
        tokio::spawn(connection);
        let mut agent = Self { pod: pod.to_owned(), sender, _forwarder: forwarder };
        // A port that nobody listens on is forwarded all the same, and breaks at the first word.
        match agent.get("/v1/status").await {
            Ok(_) => Ok(agent),
            Err(error) => match timeout(REASON, reason).await {
                Ok(Some(reason)) => Err(unreachable(pod, reason.trim())),
                Ok(None) | Err(_) => Err(error),
            },
        }
    }

    /// Asks for a path.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Reply, Failure> {
        let answered = timeout(PATIENCE, self.ask(path)).await;
        let late = || unreachable(&self.pod, &format!("no answer within {} s", PATIENCE.as_secs()));
        answered.map_err(|_| late())?.map_err(|reason| unreachable(&self.pod, &reason))
    }

    /// Asks for a path that answers with JSON. What it refuses is an error.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        let reply = self.get(path).await?;
        if reply.status != StatusCode::OK {
            return Err(reply.refusal(&self.pod));
        }
        serde_json::from_slice(&reply.body)
            .map_err(|error| unreachable(&self.pod, &format!("its answer is no JSON: {error}")))
    }

    async fn ask(&mut self, path: &str) -> Result<Reply, String> {
        let request =
            Request::get(path).header(HOST, "localhost").body(Empty::new()).map_err(|error| error.to_string())?;
        self.sender.ready().await.map_err(|error| error.to_string())?;
        let response = self.sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() else { continue };
            if bytes.len() + data.len() > MAX_ANSWER {
                return Err("its answer is too long".to_owned());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Reply { status: parts.status, headers: parts.headers, body: bytes.into() })
    }
}

// === impl Reply ===

impl Reply {
    /// What the agent of a pod said instead of an answer.
    pub(crate) fn refusal(&self, pod: &str) -> Failure {
        match serde_json::from_slice::<Refusal>(&self.body) {
            Ok(refusal) => {
                Failure::new(format!("the agent of pod {pod} refuses: {}", refusal.message)).hint(refusal.hint)
            }
            Err(_) => Failure::new(format!("the agent of pod {pod} answers {}", self.status)),
        }
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The pods of the members that hold the state: reads of them are whole.
fn holders(list: Option<&Membership>) -> Vec<String> {
    let rows = list.iter().flat_map(|list| &list.spec.members);
    rows.filter(|row| row.phase == MemberPhase::Active).map(|row| row.pod_name.clone()).collect()
}

/// The one group that there is.
fn only(groups: &[HandoffGroup], namespace: &str) -> Result<String, Failure> {
    match groups {
        [] => Err(Failure::new(format!("there is no HandoffGroup in namespace {namespace}"))
            .hint("`kubectl baton status -A` shows all that there are")),
        [one] => Ok(one.name_any()),
        several => {
            let names: Vec<String> = several.iter().map(ResourceExt::name_any).collect();
            let message = format!("namespace {namespace} has {} HandoffGroups", several.len());
            Err(Failure::new(message).hint(format!("choose one with --group: {}", names.join(", "))))
        }
    }
}

fn unreachable(pod: &str, reason: &str) -> Failure {
    Failure::new(format!("cannot reach the agent of pod {pod}: {reason}"))
        .hint("see whether the pod runs and has a container baton-agent: `kubectl baton members -o wide`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{group, membership};

    #[test]
    fn only_active_members_are_asked() {
        let rows = [(1, "web-1", "Leaving"), (2, "web-2", "Active"), (3, "web-3", "Joining"), (4, "web-4", "Active")];
        assert_eq!(holders(Some(&membership("Deployment/web", &rows))), ["web-2", "web-4"]);
        assert!(holders(None).is_empty());
    }

    #[test]
    fn a_group_must_be_named_if_there_are_several() {
        assert_eq!(only(&[group(&[])], "shop").expect("one"), "web");
        assert!(only(&[], "shop").expect_err("none").to_string().contains("no HandoffGroup in namespace shop"));
        assert!(only(&[group(&[]), group(&[])], "shop").expect_err("two").to_string().contains("has 2 HandoffGroups"));
    }

    #[test]
    fn what_an_agent_refuses_is_said_in_its_own_words() {
        let reply = |body: &'static str| Reply {
            status: StatusCode::BAD_REQUEST,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let refused =
            reply(r#"{"code": "bad_map", "message": "this is no map", "hint": "choose another"}"#).refusal("web-1");
        assert_eq!(refused.to_string(), "the agent of pod web-1 refuses: this is no map");
        assert!(reply("<html>").refusal("web-1").to_string().contains("answers 400"));
    }
}
