//! Links that take longer for one frame than for silence to end them.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::*;

/// With this rate eight seconds for one value.
const VALUE_BYTES: usize = 512 * 1024;
const RATE: usize = 64 * 1024;

/// What arrives at once.
const PIECE: usize = 4 * 1024;

/// Two agents that reach each other by slow links only. The first has dialled the one that stays.
async fn far_apart() -> Town {
    let mut agents = [Agent::start(1).await, Agent::start(2).await];
    for agent in &mut agents {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let slow = listener.local_addr().expect("bound").to_string();
        let fast = std::mem::replace(&mut agent.address, slow);
        agent.tasks.spawn(lead_to(fast, listener));
    }
    let town = Town::with(agents.into()).await;
    let dialled_by_first = |at: usize| link_of(&town, at).is_some_and(|(_, dialer)| dialer == id(1));
    wait("the link stays", || dialled_by_first(0) && dialled_by_first(1)).await;
    town
}

async fn lead_to(address: String, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let (outer, _) = listener.accept().await.expect("it listens");
        let inner = TcpStream::connect(&address).await.expect("it listens");
        let (from_outer, to_outer) = outer.into_split();
        let (from_inner, to_inner) = inner.into_split();
        connections.spawn(trickle(from_outer, to_inner));
        connections.spawn(trickle(from_inner, to_outer));
    }
}

async fn trickle(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut piece = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        sleep(Duration::from_secs(1).mul_f64(count as f64 / RATE as f64)).await;
        if to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
}

/// The link between the two and who has dialled it, as one of them sees it.
fn link_of(town: &Town, at: usize) -> Option<(LinkId, ReplicaId)> {
    town[at].engine.links().all().first().map(|link| (link.id, link.dialer))
}

/// One of the two writes a value, which the other gets by the link that they have.
async fn a_value_arrives_from(writer: usize) {
    let town = far_apart().await;
    let before = [0, 1].map(|at| link_of(&town, at));
    let value = Value { content_type: Box::default(), body: vec![7; VALUE_BYTES].into() };
    let operation = Operation::Put { value, expires_at: None };
    town[writer].engine.write(write("k", operation, Some(AckLevel::Count(0)))).await.expect("it is live");
    wait("the other holds it", || town[1 - writer].holds("k")).await;
    assert_eq!([0, 1].map(|at| link_of(&town, at)), before);
}

/// The link ended as silent and the value was sent again, for ever.
#[tokio::test]
async fn a_value_that_takes_longer_than_silence_arrives_at_who_was_dialled() {
    a_value_arrives_from(0).await;
}

/// The same, where the bytes come in an answer.
#[tokio::test]
async fn a_value_that_takes_longer_than_silence_arrives_at_who_dialled() {
    a_value_arrives_from(1).await;
}
