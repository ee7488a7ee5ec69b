//! A shard that has no room for what peers send.

use baton_replica::Limits;

use super::*;

/// What the second agent's shards may take. Memory is counted in spans.
const ROOM: u64 = 2 << 20;

/// An agent with such shards.
async fn agent(bits: u64, bounds: Limits) -> Agent {
    let identity = Identity { group: "shop/web".to_owned(), pod_name: format!("web-{bits}"), pod_uid: String::new() };
    let limits = DefaultLimits { max_bytes: 1 << 30, ..LIMITS };
    let engine = Engine::bounded(id(bits), identity, SHARDS, limits, bounds);
    Agent::run(engine, Transport::plain(Refusals::default())).await
}

/// Names of keys in a shard.
fn names_in(shard: u64) -> impl Iterator<Item = String> {
    let names = (0..).map(|number: u32| format!("k{number}"));
    names.filter(move |name| key(name).hash() % SHARDS as u64 == shard)
}

fn large() -> Operation {
    Operation::Put { value: Value { content_type: Box::default(), body: vec![7; 1000].into() }, expires_at: None }
}

async fn write_to(agent: &Agent, name: &str, operation: Operation, acks: u32) {
    agent.engine.write(write(name, operation, Some(AckLevel::Count(acks)))).await.expect("it is live");
}

/// The link ended for all shards, and the next one as well, for as long as one shard had no room.
#[tokio::test]
async fn a_shard_without_room_stops_no_other_and_goes_on_when_it_has_some() {
    let bounds = Limits { max_bytes: ROOM, ..Limits::default() };
    let town = Town::with(vec![agent(1, Limits::default()).await, agent(2, bounds).await]).await;
    let has_room = || town[1].engine.inspect(0, baton_replica::Shard::has_room_for_peers);
    let mut names = names_in(0);
    let mut stored = Vec::new();
    while has_room() {
        let name = names.next().expect("endless");
        write_to(&town[0], &name, large(), 1).await;
        stored.push(name);
    }
    let links = || [0, 1].map(|at| town[at].engine.links().all().first().map(|link| link.id));
    let before = links();
    let refused = names.next().expect("endless");
    town[0].put_alone(&refused).await;
    // Behind what was refused.
    for name in names_in(1).take(20) {
        write_to(&town[0], &name, large(), 1).await;
    }
    assert_eq!(links(), before);
    assert!(!town[1].holds(&refused));

    for name in &stored {
        write_to(&town[1], name, Operation::Delete, 0).await;
    }
    wait("what was refused comes", || town[1].holds(&refused)).await;
}
