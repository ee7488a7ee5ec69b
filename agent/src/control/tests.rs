//! Both ends of a control socket.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use super::client::{CallError, call};
use super::*;

/// An agent that holds until it is released.
#[derive(Default)]
struct Agent {
    release: Notify,
}

impl Control for Agent {
    async fn drain(&self) -> DepartureReport {
        self.release.notified().await;
        DepartureReport {
            outcome: DepartureOutcome::Acknowledged,
            keys: 3,
            keys_unacknowledged: 0,
            survivors: vec!["b".to_owned()],
            hold_millis: 1,
            tail_millis: 0,
            keys_unadopted: 0,
            keys_unconfirmed: 0,
            released: false,
            bytes: 0,
            message: "all is well".to_owned(),
        }
    }

    async fn release(&self) -> bool {
        self.release.notify_one();
        true
    }

    fn status(&self) -> StatusReport {
        StatusReport {
            group: "default/g".to_owned(),
            replica: "1".to_owned(),
            pod: "a".to_owned(),
            release: "0".to_owned(),
            phase: "Active".to_owned(),
            in_sync: true,
            ready: true,
            membership: 1,
            members: Vec::new(),
            keys: 3,
            bytes: 9,
            log_slots: 0,
            remembered_keys: 3,
            digest_mismatches: 0,
            inherited_keys: 0,
        }
    }
}

fn socket() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run").join("control.sock");
    (folder, path)
}

fn serve(path: &Path) -> Arc<Agent> {
    let agent = Arc::new(Agent::default());
    tokio::spawn(ControlServer::bind(path).expect("binds").serve(agent.clone()));
    agent
}

#[tokio::test]
async fn a_drain_is_held_until_the_agent_answers() {
    let (_folder, path) = socket();
    let agent = serve(&path);
    let hook = tokio::spawn(async move { call(&path, Request::Drain).await });
    tokio::time::sleep(ALIVE_EVERY * 2).await;
    assert!(!hook.is_finished());
    agent.release.notify_one();
    let Ok(Answer::Drained(report)) = hook.await.expect("no panic") else { panic!("another answer") };
    assert_eq!((report.outcome, report.keys), (DepartureOutcome::Acknowledged, 3));
    assert_eq!(text::sentence(&report), "3 keys are acknowledged by b, after 1 ms");
}

#[tokio::test]
async fn a_release_is_answered_at_once_and_ends_the_hold() {
    let (_folder, path) = socket();
    serve(&path);
    let hook = tokio::spawn({
        let path = path.clone();
        async move { call(&path, Request::Drain).await }
    });
    let Ok(Answer::Released(true)) = call(&path, Request::Release).await else { panic!("another answer") };
    assert!(matches!(hook.await.expect("no panic"), Ok(Answer::Drained(_))));
}

/// Said of no survivor, the sentence ended in "acknowledged by ".
#[test]
fn a_report_names_survivors_or_says_that_there_is_no_common_one() {
    let report = |survivors: &[&str]| DepartureReport {
        outcome: DepartureOutcome::Acknowledged,
        keys: 3,
        keys_unacknowledged: 0,
        survivors: survivors.iter().map(|name| (*name).to_owned()).collect(),
        hold_millis: 1,
        tail_millis: 0,
        message: String::new(),
        bytes: 0,
        released: false,
        keys_unadopted: 0,
        keys_unconfirmed: 0,
    };
    assert_eq!(text::sentence(&report(&["a", "b"])), "3 keys are acknowledged by a, b, after 1 ms");
    let apart = "3 keys are acknowledged, each shard by another survivor, after 1 ms";
    assert_eq!(text::sentence(&report(&[])), apart);
}

#[tokio::test]
async fn a_status_comes_at_once_and_reads_well() {
    let (_folder, path) = socket();
    serve(&path);
    let Ok(Answer::Status(report)) = call(&path, Request::Status).await else { panic!("another answer") };
    assert!(text::status(&report).starts_with("a in default/g: Active, in sync\n"));
}

#[tokio::test]
async fn the_socket_of_an_earlier_process_is_replaced_and_is_private() {
    let (_folder, path) = socket();
    drop(ControlServer::bind(&path).expect("binds"));
    assert!(path.exists(), "left behind");
    serve(&path);
    assert!(matches!(call(&path, Request::Status).await, Ok(Answer::Status(_))));
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_caller_that_talks_nonsense_is_told_so() {
    let (_folder, path) = socket();
    serve(&path);
    let mut stream = UnixStream::connect(&path).await.expect("connects");
    stream.write_all(b"\xff{}\n").await.expect("sends");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let mut stream = UnixStream::connect(&path).await.expect("connects");
    stream.write_all(b"\"dance\"\n").await.expect("sends");
    stream.read_to_string(&mut answer).await.expect("text");
    assert!(answer.contains("refused") && answer.contains("dance"), "{answer}");
    assert!(matches!(call(&path, Request::Status).await, Ok(Answer::Status(_))), "it serves on");
}

#[tokio::test]
async fn without_an_agent_the_call_fails_and_does_not_wait() {
    let (_folder, path) = socket();
    let end = call(&path, Request::Drain).await;
    assert!(matches!(&end, Err(CallError::Unreachable { reason, .. }) if reason.contains("os error")), "{end:?}");
}

#[tokio::test]
async fn an_agent_that_does_not_answer_costs_two_seconds() {
    let (_folder, path) = socket();
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let _listener = UnixListener::bind(&path).expect("binds");
    let began = tokio::time::Instant::now();
    let end = call(&path, Request::Drain).await;
    assert!(matches!(&end, Err(CallError::Unreachable { reason, .. }) if reason == "no answer within 2 s"), "{end:?}");
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[tokio::test]
async fn an_agent_that_dies_while_it_holds_is_a_failure() {
    let (_folder, path) = socket();
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let listener = UnixListener::bind(&path).expect("binds");
    let agent = async {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let mut asked = [0; 8];
        stream.read_exact(&mut asked).await.expect("a request");
        stream.write_all(b"\"working\"\n").await.expect("sends");
    };
    let (answer, ()) = tokio::join!(call(&path, Request::Drain), agent);
    assert!(matches!(answer, Err(CallError::Broken(_))), "{answer:?}");
}
