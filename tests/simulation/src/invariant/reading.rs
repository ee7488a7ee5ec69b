//! A read of a key shows what wins there: of the values that have not replaced each other, and have not expired, the one
//! with the greatest time, writer and dot; of a counter, the integer that was put and all that was added since.

use baton_replica::{Entry, Read, Version};

use crate::world::World;

pub(crate) fn check(world: &World) -> Result<(), String> {
    for (id, agent) in &world.agents {
        let now = world.wall(*id);
        for shard in &agent.shards {
            for (key, entry) in shard.entries() {
                let Ok(read) = shard.get(&key, now) else { continue };
                if !is_right(&entry, now, read.as_ref()) {
                    return Err(format!("{id} shows {read:?} of {key:?} at {now}, and holds {entry:?}"));
                }
            }
        }
    }
    Ok(())
}

fn is_right(entry: &Entry, now: u64, read: Option<&Read>) -> bool {
    let lives = |version: &&Version| version.expires_at.is_none_or(|end| end > now);
    let living: Vec<&Version> = entry.versions().iter().filter(lives).collect();
    let Some(read) = read else { return living.is_empty() };
    let mut dots: Vec<_> = living.iter().map(|version| version.dot).collect();
    dots.sort_unstable();
    let tag: Vec<String> = dots.iter().map(ToString::to_string).collect();
    let values = living.iter().filter(|version| version.value.is_some());
    let winner = values.max_by_key(|version| (version.hlc, version.writer, version.dot));
    let put = winner.and_then(|winner| winner.value.as_ref());
    let counts = living.iter().any(|version| version.value.is_none() || version.added != 0);
    let base = put.map_or(Some(0), |value| value.integer()).filter(|_| counts);
    let count = base.map(|base| living.iter().map(|version| version.added).fold(base, i64::saturating_add));
    let shows = match count {
        Some(count) => read.value.body == count.to_string(),
        None => Some(&read.value) == put,
    };
    shows && read.counter == count && read.tag.to_string() == tag.join("+")
}
