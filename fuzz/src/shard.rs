//! Messages about one shard that are well-formed more often than bytes are: a script of what peers say and what else
//! happens, so that a run gets far into the state machine.

mod part;
mod said;

use arbitrary::{Arbitrary, Unstructured};
use baton_replica::{MemberPhase, ReplicaId};
use baton_wire::convert::shard_message_to_wire;
use baton_wire::peer::ShardFrame;
use prost::Message;

pub(crate) use said::conversation;

use crate::meter::Meter;
use crate::mutation;
use crate::replica::{Act, PEERS, Past, Replica, Situation, peer};
use said::{Course, Said};

/// What happens, from the start.
#[derive(Debug)]
struct Script {
    situation: Situation,
    steps: Vec<Step>,
}

/// Messages are as frequent as all else together.
#[derive(Arbitrary, Debug)]
enum Step {
    Hear { peer: u8, said: Said },
    Happen(Event),
}

#[derive(Arbitrary, Debug)]
enum Event {
    Write { key: u8, act: Act },
    Relink { peer: u8 },
    List { phases: [Stage; PEERS as usize] },
    Leave,
    Seal,
    Expire { now: u64 },
    Inherit(Past),
    Reissue { most: u8 },
    Adopt { most: u8 },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Stage {
    Joining,
    Active,
    Leaving,
    Gone,
}

/// Takes the bytes for a script.
pub fn run(bytes: &[u8]) {
    let Ok(script) = script(bytes) else { return };
    let mut replica = Replica::new(script.situation);
    let mut course = Course::default();
    let mut meter = Meter::new();
    for step in &script.steps {
        match step {
            Step::Hear { peer: from, said } => {
                let body = shard_message_to_wire(said.message(&replica, &mut course));
                let frame = ShardFrame { shard: 0, body: Some(body) };
                let bytes = frame.encode_to_vec();
                drop(frame);
                // Chunks of the transfer under way come from where it was asked for.
                let source = replica.fetch().filter(|_| said.is_of_course()).map(|fetch| fetch.peer);
                hear(&mut replica, source.unwrap_or(peer(*from)), &bytes, &mut meter);
            }
            Step::Happen(event) => meter.bounded(1, || happen(&mut replica, event)),
        }
    }
    let coverage = replica.shard().coverage(replica.shard().clock(), baton_replica::Need { acks: 1, level: 1 });
    let _ = (coverage, replica.shard().keys_not_covered());
}

/// The script.
pub fn show(bytes: &[u8]) -> String {
    format!("{:#?}", script(bytes))
}

/// As many steps as there are bytes for: the list that `arbitrary` would make ends at every second step.
fn script(bytes: &[u8]) -> arbitrary::Result<Script> {
    let mut rest = Unstructured::new(bytes);
    let mut script = Script { situation: rest.arbitrary()?, steps: Vec::new() };
    while !rest.is_empty() {
        script.steps.push(rest.arbitrary()?);
    }
    Ok(script)
}

fn hear(replica: &mut Replica, from: ReplicaId, bytes: &[u8], meter: &mut Meter) {
    let came = meter.came() + bytes.len();
    meter.bounded(bytes.len(), || {
        let frame = ShardFrame::decode(bytes).expect("what was encoded");
        replica.hear(from, frame.body.expect("a body"), came);
    });
}

fn happen(replica: &mut Replica, event: &Event) {
    match event {
        Event::Write { key, act } => replica.act(*key, *act),
        Event::Relink { peer: number } => replica.relink(peer(*number)),
        Event::List { phases } => replica.list(phases.map(Stage::phase)),
        Event::Leave => replica.leave(),
        Event::Seal => replica.seal(),
        Event::Expire { now } => replica.expire(*now),
        Event::Inherit(past) => replica.inherit(past),
        Event::Reissue { most } => replica.reissue(usize::from(*most)),
        Event::Adopt { most } => replica.adopt(usize::from(*most)),
    }
}

/// Scripts of random bytes: no other encoding is stable.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let names = ["random-1", "random-2", "random-3", "random-4", "random-5", "random-6", "random-7", "random-8"];
    (1..).zip(names).map(|(seed, name)| (name, mutation::noise(seed, 1024))).collect()
}

// === impl Stage ===

impl Stage {
    const fn phase(self) -> MemberPhase {
        match self {
            Self::Joining => MemberPhase::Joining,
            Self::Active => MemberPhase::Active,
            Self::Leaving => MemberPhase::Leaving,
            Self::Gone => MemberPhase::Gone,
        }
    }
}
