//! Who is no member hears nothing: not by plain TCP, not by a token that is forged, for somebody else, of another pod or
//! of a pod that is gone, not by the certificate of a pod that has left.

pub(crate) mod rotation;
mod thief;

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use baton_tests::arena::Arena;
use baton_tests::cluster::SYSTEM;
use baton_tests::http::Http;
use baton_tests::pod::Pod;
use baton_tests::scenario::{Promise, Scenario};
use baton_tests::stage::{LIMIT, Stage};
use baton_tests::wait;
use serde_json::{Value, json};
use thief::Thief;
use tonic::Code;

pub(crate) const SCENARIO: Scenario = Scenario {
    word: "identity",
    promise: Promise::Guarded,
    sentence: "whoever_is_no_member_is_refused",
    alone: false,
    run,
};

const OWN: &str = "baton.dev/operator";
const PEER: u16 = 7072;
const DIRECTORY: u16 = 7080;

fn run(stage: &Stage) -> Result<()> {
    let crowd = stage.play(&Arena::of(3))?;
    let members = stage.pods.ready();
    let [victim, other, ..] = &members[..] else { anyhow::bail!("there are {} pods", members.len()) };
    let operator = operator(stage)?;

    plain(victim.ip(), PEER)?;
    counted(victim.ip(), "baton_agent_refused_links_total{reason=\"no_tls\"}")?;
    plain(&operator, DIRECTORY)?;
    counted(&operator, "baton_operator_refused_connections_total{reason=\"no_tls\"}")?;

    let roots = roots(stage)?;
    let thief = Thief::new(&format!("{operator}:{DIRECTORY}"), &roots)?;
    let stranger = stranger(stage)?;
    let cases = [
        ("a forged token", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA".to_owned(), Code::Unauthenticated),
        ("a token for the API server", token(stage, victim, "https://kubernetes.default.svc")?, Code::Unauthenticated),
        ("the token of a pod of no group", token(stage, &stranger, OWN)?, Code::PermissionDenied),
    ];
    for (what, token, code) in cases {
        let answer = thief.ask(&token, "arena")?;
        ensure!(answer.as_ref().err() == Some(&code), "{what}: {answer:?}");
    }
    counted(&operator, "baton_operator_certificates_total{result=\"token_refused\"}")?;
    counted(&operator, "baton_operator_certificates_total{result=\"pod_refused\"}")?;

    stage.delete_pod(stranger.name())?;
    wait::until(LIMIT, "the stranger is gone", || {
        let left = stage.pods.present();
        ensure!(left.iter().all(|pod| pod.uid() != stranger.uid()), "it is still there");
        Ok(())
    })?;

    // A stolen token is good for one thing, and no longer than its pod is there.
    let stolen = token(stage, victim, OWN)?;
    let certificate = thief.ask(&stolen, "arena")?.ok().context("the token of a member gets its certificate")?;
    let wallet = certificate.wallet(&roots)?;
    thief.meets(&wallet, &format!("{}:{PEER}", other.ip()))?;
    stage.delete_pod(victim.name())?;
    stage.wait_replaced(std::slice::from_ref(victim), 3)?;
    stage.ensure_handed_off(std::slice::from_ref(victim))?;
    wait::until(LIMIT, "the token of a pod that is gone is refused", || {
        let answer = thief.ask(&stolen, "arena")?;
        ensure!(answer.as_ref().err() == Some(&Code::Unauthenticated), "{answer:?}");
        Ok(())
    })?;
    let attended = thief.attends(&wallet, &stage.namespace, "arena", victim.name(), victim.uid())?;
    ensure!(!attended, "the certificate of a pod that is gone hears who is a member");

    let old = stage.rollout(3)?;
    stage.ensure_handed_off(&old)?;
    stage.check(crowd)
}

/// Plain text is answered with an alert of TLS at most, and the end.
fn plain(ip: &str, port: u16) -> Result<()> {
    let mut stream = TcpStream::connect((ip, port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
    let mut heard = Vec::new();
    let ended = stream.read_to_end(&mut heard);
    let reset = ended.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
    ensure!(ended.is_ok() || reset, "{ip}:{port} goes on: {ended:?}");
    ensure!(heard.len() < 16, "{ip}:{port} answers {} bytes", heard.len());
    Ok(())
}

/// Waits until a counter is above zero.
fn counted(ip: &str, counter: &str) -> Result<()> {
    let http = Http::new(LIMIT);
    wait::until(LIMIT, &format!("{counter} of {ip} counts"), || {
        let text = String::from_utf8(http.get(&format!("http://{ip}:7073/metrics"))?.body)?;
        let value = text.lines().find_map(|line| line.strip_prefix(counter)).context("it is not there")?;
        ensure!(value.trim().parse::<u64>()? > 0, "it is {value}");
        Ok(())
    })
}

fn operator(stage: &Stage) -> Result<String> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/pods?labelSelector=app.kubernetes.io/component%3Doperator");
    let pods = stage.cluster.api.get(&path)?;
    let running = |pod: &&Value| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
    let pod = pods["items"].as_array().into_iter().flatten().find(running).context("no operator runs")?;
    Ok(pod["status"]["podIP"].as_str().context("the operator has no address")?.to_owned())
}

fn roots(stage: &Stage) -> Result<String> {
    let map = stage.cluster.api.get(&format!("/api/v1/namespaces/{}/configmaps/baton-roots", stage.namespace))?;
    Ok(map["data"]["roots.pem"].as_str().context("no roots")?.to_owned())
}

/// The arena's pod once more, with a label that no group selects. It need not run.
fn stranger(stage: &Stage) -> Result<Pod> {
    let objects = Arena::of(1).objects(stage.cluster.manifests());
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").context("no Deployment")?;
    let metadata = json!({"name": "stranger", "labels": {"app": "nobody"}});
    let spec = &deployment["spec"]["template"]["spec"];
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    let made = stage.cluster.api.create(&stage.path("Pod", ""), &pod)?;
    ensure!(made.ok(), "cannot make a pod: {made}");
    wait::until(LIMIT, "the stranger is seen", || {
        stage.pods.present().into_iter().find(|pod| pod.name() == "stranger").context("it is not")
    })
}

/// A token as the kubelet would get it for this pod.
fn token(stage: &Stage, pod: &Pod, audience: &str) -> Result<String> {
    let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": pod.name(), "uid": pod.uid()});
    let spec = json!({"audiences": [audience], "expirationSeconds": 3600, "boundObjectRef": bound});
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/default/token", stage.namespace);
    let made = stage.cluster.api.create(&path, &request)?;
    ensure!(made.ok(), "no token: {made}");
    Ok(made.json()?["status"]["token"].as_str().context("no token")?.to_owned())
}
