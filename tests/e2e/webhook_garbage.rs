//! Garbage that is sent to the webhook gets an answer, and the operator goes on as if nothing had been.

use anyhow::{Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::{OPERATOR, SYSTEM};
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::Stage;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "webhook-garbage",
    promise: Promise::Guarded,
    sentence: "a_webhook_called_with_garbage_goes_on_working",
    alone: false,
    run,
};

/// More than any pod.
const LARGE: usize = 12 * 1024 * 1024;

fn run(stage: &Stage) -> Result<()> {
    let restarts = stage.cluster.operator_restarts()?;
    let path = format!("/api/v1/namespaces/{SYSTEM}/services/https:{OPERATOR}:443/proxy/inject");
    let review = |request: &str| {
        format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{request}}}"#)
    };
    let uid = r#""uid":"3b1d6bd7-e7a5-4a0a-9d13-7ffa1cf11a49""#;
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        vec![0xff; 64 * 1024],
        "[".repeat(100_000).into_bytes(),
        review("null").into_bytes(),
        review("{}").into_bytes(),
        review(&format!("{{{uid}}}")).into_bytes(),
        review(&format!(r#"{{{uid},"operation":"CREATE","object":{{"kind":"Pod","spec":17}}}}"#)).into_bytes(),
        review(&format!(
            r#"{{{uid},"operation":"DELETE","object":null,"kind":{{"group":"","version":"v1","kind":"Pod"}}}}"#
        ))
        .into_bytes(),
    ];
    for body in &bodies {
        for kind in ["application/json", "text/plain"] {
            let reply = stage.cluster.api.send("POST", &path, kind, body)?;
            let start = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            // 502 and 503 are the API server's words for a backend that hung up or is not there.
            ensure!(reply.status < 500 || reply.status == 501, "{start}: {reply}");
            if reply.ok() {
                ensure!(reply.json()?["response"]["allowed"].is_boolean(), "{start}: {reply}");
            }
        }
    }
    let other = stage.cluster.api.send("GET", &path, "application/json", &[])?;
    ensure!((400..500).contains(&other.status), "GET: {other}");
    // Last, since its connection is closed: who is told that it is too much while it still sends may hear nothing else.
    let _ = stage.cluster.api.send("POST", &path, "application/json", &vec![b' '; LARGE]);

    let after = stage.cluster.operator_restarts()?;
    ensure!(after == restarts, "the operator was restarted {} times", after.saturating_sub(restarts));
    stage.apply(&Arena::of(1))?;
    stage.wait_ready(1)?;
    ensure!(stage.pods.ready().iter().all(|pod| pod.agent().is_some()), "a pod has no agent");
    Ok(())
}
