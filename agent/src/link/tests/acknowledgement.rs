//! Who has which write, whoever made it.

use super::*;

/// A default that is not written, as there is a value.
async fn init(agent: &Agent, name: &str, acks: AckLevel) -> u32 {
    let value = Value { content_type: Box::default(), body: b"default"[..].into() };
    let operation = Operation::Init { value, expires_at: None };
    let stored = agent.engine.write(write(name, operation, Some(acks))).await.expect("it is acknowledged");
    assert!(!stored.written);
    stored.acks
}

#[tokio::test]
async fn what_another_has_written_is_acknowledged_by_all_who_have_it() {
    let town = Town::of(3).await;
    for name in ["a", "b", "c"] {
        town[0].put_alone(name).await;
        wait("the others have it", || town[1].holds(name) && town[2].holds(name)).await;
        // The writer has it without saying so, and the third says so.
        let (one, all) = tokio::join!(init(&town[1], name, AckLevel::Count(1)), init(&town[1], name, AckLevel::All),);
        assert_eq!((one >= 1, all), (true, 2), "{name}");
    }
}
