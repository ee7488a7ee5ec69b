//! What expires is dropped in time, without anybody asking for it.

use baton_replica::{Dot, Hlc, Version, VersionVector};

use super::*;
use crate::engine::wall_millis;

#[tokio::test]
async fn what_expires_is_dropped_on_every_agent_without_a_word() {
    let mut town = Town::of(3).await;
    town.crash(2);
    let deadline = wall_millis() + 300;
    let short_lived = |counter| Version {
        dot: Dot { replica: id(3), counter },
        hlc: Hlc::from_bits(1),
        writer: id(3),
        value: Some(Value { content_type: Box::default(), body: b"v"[..].into() }),
        added: 0,
        owner: None,
        expires_at: Some(deadline),
    };
    for at in 0..2 {
        town[at].take_write(id(3), 1, "k", Entry::new(vec![short_lived(1)], VersionVector::new()));
        assert_eq!(town[at].engine.status().keys, 1);
    }
    wait("no agent holds it", || (0..2).all(|at| town[at].engine.status().keys == 0)).await;
    assert!(wall_millis() < deadline + 2_000, "soon after its deadline");
}
