//! Several operations on one key's fields, as one.

use baton_replica::{Condition, Done, Key, MAX_BATCH, MAX_BATCH_BYTES, Operation, Request};

use crate::engine::limit::Place;
use crate::engine::{Turn, WriteFailure, count};

// === impl Turn ===

impl Turn<'_> {
    /// Does operations on keys of one shard: all or none, and seen by other members as one, as far as a batch takes them.
    /// What is more is made batch after batch.
    pub(crate) fn write_together(&mut self, mut changes: Vec<(Key, Operation)>) -> Result<Vec<Done>, WriteFailure> {
        if changes.len() <= 1 {
            return changes.pop().map(|(key, operation)| self.write(&key, operation)).into_iter().collect();
        }
        self.check_together(&changes)?;
        let mut done = Vec::with_capacity(changes.len());
        let mut rest = changes.into_iter().peekable();
        while rest.peek().is_some() {
            let mut bytes = 0;
            let mut fits = |at: usize, (key, operation): &(Key, Operation)| {
                bytes += key.as_bytes().len() + size(operation);
                at == 0 || (at < MAX_BATCH && bytes <= MAX_BATCH_BYTES)
            };
            let mut batch = Vec::new();
            while let Some(change) = rest.next_if(|change| fits(batch.len(), change)) {
                batch.push(change);
            }
            done.extend(self.make_together(batch)?);
        }
        Ok(done)
    }

    fn check_together(&mut self, changes: &[(Key, Operation)]) -> Result<(), WriteFailure> {
        let settings = self.engine.settings();
        let mut pending = std::mem::take(&mut self.pending);
        let checked = changes.iter().try_for_each(|(key, operation)| {
            let place = Place { settings: &settings, usage: &self.engine.usage, shard: self.shard(key), now: self.now };
            self.engine.limits.check(&place, Some(&mut pending), key, operation)
        });
        self.pending = pending;
        Ok(checked?)
    }

    fn make_together(&mut self, batch: Vec<(Key, Operation)>) -> Result<Vec<Done>, WriteFailure> {
        let Some((key, _)) = batch.first().cloned() else { return Ok(Vec::new()) };
        let names: Vec<(Key, &str)> =
            batch.iter().map(|(key, operation)| (key.clone(), count::name(operation))).collect();
        let request = |(key, operation)| Request { key, condition: Condition::Always, operation };
        let (settings, now) = (self.engine.settings(), self.now);
        let shard = &mut self.held(&key).shard;
        let wanted = shard.admit(settings.write_acks_of(key.map()), settings.accept_when_alone);
        let made = wanted.map_err(WriteFailure::from).and_then(|wanted| {
            let done = shard.write(batch.into_iter().map(request).collect(), now);
            Ok((done.map_err(|rejected| rejected.error)?, wanted))
        });
        match made {
            Ok((done, wanted)) => {
                let each = names.iter().zip(&done);
                each.for_each(|((key, name), done)| self.note(key, name, Ok((done.dot, wanted))));
                Ok(done)
            }
            Err(failure) => {
                names.iter().for_each(|(key, name)| self.note(key, name, Err(&failure)));
                Err(failure)
            }
        }
    }
}

fn size(operation: &Operation) -> usize {
    match operation {
        Operation::Put { value, .. } | Operation::Init { value, .. } => value.size(),
        _ => 0,
    }
}
