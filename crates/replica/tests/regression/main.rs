//! What lost data elsewhere, and cannot here: one test for each known bug, which says in a line what went wrong where.
//!
//! | what went wrong | where | tests |
//! |---|---|---|
//! | a part of the data with the clock of all of it | delta_crdt#65, #45; xredis-crdt#10, #109; bigsets | `transfer`, `bigset` |
//! | handing off to one who leaves too | level10#67; swarm#67; akka-core#30362; Pekko; Hazelcast; dragonfly-operator#306, #289 | `departure` |
//! | acknowledgements that were sent, stale, of the dead, or of what was ignored | Pekko; Hazelcast; process-hub; horde#90; swift-distributed-actors#210; Orleans | `departure`, `window` |
//! | a flush whose time runs out and passes for a success | delta_crdt; Hazelcast; Pekko; infinispan#16316; Orleans | `deadline` |
//! | ids and counters used again, amnesia | riak_kv#679, #1643, #1813; OpenRiak/riak_kv#151; actor-ts#955; hazelcast#21428, #20220 | `identity` |
//! | clocks that decide more than ties | delta_crdt; aphyr 285; Olric | `clock` |
//! | writes after the last look at the state | kubernetes#89263, #88236, #43576, #67592; orleans#3563 | `deadline`, `departure` |
//! | a default, or an owner, before the state | horde PR#67; orleans#5687, #6857; akka-core#22150; swarm#69; keycloak#52088 | `bootstrap` |
//! | tombstones forgotten by time | Pekko; Ditto; chitchat; akka.net#8219, PR#8220; peat-mesh | `tombstone`, `retirement` |
//! | survivors replaced faster than copies are made | olric#55, #225; keycloak#37825, #44620; dragonfly-operator#191 | `rollout` |
//! | preStop cut short, or never run | kubernetes#93818, #107024, #116965, #53727, #65496 | `deadline` |
//! | views of the members that differ | akka.net PR#8547; Pekko; olric#258; infinispan#16916; Horde PR#291 | `membership`, `departure` |
//! | entries too large to be sent | akka-core#22327, #28421; akka.net#7250; actor-ts#691; chitchat | `transfer` |
//! | the step from deltas to the full state | phoenix_pubsub#74; chitchat#176, #178, #179; akka-core#22606, #22648; bigsets | `window`, `transfer`, `bigset` |
//! | a removed member takes its data along, or stays for ever | horde#116, #200, PR#291; delta_crdt#13; phoenix_pubsub#175 | `retirement` |
//! | loops that end at the first empty thing | Olric's balancer | `empty` |
//! | arithmetic that trusts a peer | chitchat#144 | `tests/protocol/input.rs`, `fuzz/` |
//!
//! What belongs to the processes around the replica is tested there: a pod that is killed in its tail leaves no success
//! behind (`operator/src/handoff/tests.rs`), a hook returns within its budget (`src/lifecycle/tests.rs`), the agent is the
//! last to be stopped, as kubernetes PR#120620 made possible (`operator/src/injector/tests.rs`).

#[path = "../protocol"]
mod protocol {
    #[allow(dead_code, unused_imports, reason = "the protocol's own tests use the rest")]
    pub(crate) mod harness;
}

pub(crate) use protocol::harness;

mod bigset;
mod bootstrap;
mod clock;
mod deadline;
mod departure;
mod empty;
mod identity;
mod membership;
#[cfg(feature = "mutants")]
mod mutant;
mod retirement;
mod rollout;
mod tombstone;
mod transfer;
mod window;
