//! Counters, hashes, sets and batches that several pods change at once lose nothing of what any of them did.

use anyhow::{Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::Group;
use baton_tests::http::Http;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};
use serde_json::{Value, json};

/// What each pod does of each kind.
const ROUNDS: usize = 60;

#[test]
fn what_pods_add_at_once_is_all_there() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(3)?;
        std::thread::scope(|scope| {
            let writers: Vec<_> =
                group.pods.iter().enumerate().map(|(at, pod)| scope.spawn(move || add(&pod.agent, at))).collect();
            writers.into_iter().try_for_each(|writer| match writer.join() {
                Ok(result) => result,
                Err(_) => Err(anyhow::anyhow!("a writer has panicked")),
            })
        })?;
        for pod in &group.pods {
            wait::until(PATIENCE, "all that was added is there", || check(&pod.agent, 3 * ROUNDS))?;
        }
        // What the first has added outlives it.
        let first = group.pods.remove(0);
        group.leave(first)?.ensure_acknowledged()?;
        group.pods.iter().try_for_each(|pod| check(&pod.agent, 3 * ROUNDS))
    })
}

fn add(agent: &Agent, at: usize) -> Result<()> {
    let http = Http::new(PATIENCE);
    for round in 0..ROUNDS {
        let counter = format!("{}/v1/maps/site/counters/visits?by=2&acks=0", agent.url());
        let member = format!("{}/v1/maps/site/sets/visitors/{at}-{round}", agent.url());
        let batch = json!({"requests": [
            {"op": "put", "map": "site", "key": "last", "field": format!("{at}/{round}"), "json": {"round": round}},
            {"op": "increment", "map": "site", "key": "last", "field": "count"},
        ]});
        let sent = [
            http.send("POST", &counter, &[], b"")?,
            http.send("PUT", &member, &[], b"")?,
            http.send("POST", &format!("{}/v1/batch", agent.url()), &[], batch.to_string().as_bytes())?,
        ];
        for reply in sent {
            ensure!(reply.ok(), "{reply}");
        }
    }
    Ok(())
}

fn check(agent: &Agent, rounds: usize) -> Result<()> {
    let http = Http::new(PATIENCE);
    let get = |path: &str| http.get_json::<Value>(&format!("{}/v1/maps/site/{path}", agent.url()));
    let length = |list: &Value| list.as_array().map_or(0, Vec::len);
    let (visits, visitors) = (get("counters/visits")?, get("sets/visitors?limit=1000")?);
    ensure!(visits["value"] == json!(2 * rounds), "{}: {visits}", agent.name());
    ensure!(length(&visitors["members"]) == rounds, "{}: {visitors}", agent.name());
    let fields = get("hashes/last?limit=1000")?;
    ensure!(length(&fields["fields"]) == rounds + 1, "{}: {} fields", agent.name(), length(&fields["fields"]));
    let count = get("hashes/last?prefix=count&values=plain")?;
    ensure!(count["fields"][0]["text"].as_str() == Some(&*rounds.to_string()), "{}: {count}", agent.name());
    Ok(())
}
