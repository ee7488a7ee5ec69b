//! Wrong protocols: each must be noticed within a bounded number of seeds.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_replica::{Mutant, with_mutant};

use crate::invariant::Violation;
use crate::run::run;
use crate::sweep::tell;

/// How a hunt ended.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// Each mutant, and the seed that noticed it.
    pub found: Vec<(Mutant, Option<(u64, Violation)>)>,
}

/// Prints what happens in a seed of a wrong protocol; says whether it was noticed.
pub fn tell_mutant(mutant: Mutant, seed: u64) -> bool {
    with_mutant(Some(mutant), || tell(seed, &format!(" --mutants --mutant {mutant:?}"))).failed > 0
}

/// The mutants of this name, or all; an error names those that there are.
pub fn mutants(only: Option<&str>) -> Result<Vec<Mutant>, String> {
    let Some(name) = only else { return Ok(Mutant::ALL.to_vec()) };
    let named = Mutant::ALL.iter().find(|mutant| format!("{mutant:?}") == name);
    named.map(|mutant| vec![*mutant]).ok_or_else(|| {
        let names: Vec<String> = Mutant::ALL.iter().map(|mutant| format!("{mutant:?}")).collect();
        format!("there is no mutant {name}; there are: {}", names.join(", "))
    })
}

/// Looks for mutants in so many seeds each, from the first on.
pub fn hunt(mutants: &[Mutant], first: u64, most: u64, threads: usize) -> Hunt {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let noticed = (first..first.saturating_add(most)).find_map(|seed| {
                let violation = with_mutant(Some(*mutant), || run(seed)).violation?;
                // What fails without the mutant notices nothing.
                run(seed).violation.is_none().then_some(())?;
                Some((seed, violation))
            });
            match &noticed {
                Some((seed, violation)) => eprintln!("{mutant:?}: seed {seed}: {violation}"),
                None => eprintln!("{mutant:?}: not in {most} seeds from {first} on. {}", mutant.sentence()),
            }
            found.lock().into_iter().for_each(|mut found| found.push((*mutant, noticed.clone())));
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|(mutant, _)| *mutant);
    Hunt { found }
}

// === impl Hunt ===

impl Hunt {
    /// Those that nothing noticed.
    pub fn missed(&self) -> Vec<Mutant> {
        self.found.iter().filter(|(_, seed)| seed.is_none()).map(|(mutant, _)| *mutant).collect()
    }

    /// The result for programs.
    pub fn json(&self) -> String {
        let missed: Vec<String> = self.missed().iter().map(|mutant| format!("{mutant:?}")).collect();
        let seeds = self.found.iter().filter_map(|(mutant, noticed)| {
            let (seed, violation) = noticed.as_ref()?;
            Some((format!("{mutant:?}"), serde_json::json!({ "seed": seed, "violation": violation.to_string() })))
        });
        let seeds: serde_json::Map<_, _> = seeds.collect();
        let (mutants, caught) = (self.found.len(), self.found.len() - missed.len());
        format!("{:#}\n", serde_json::json!({ "mutants": mutants, "caught": caught, "missed": missed, "by": seeds }))
    }
}

impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missed = self.missed();
        write!(f, "{} mutants, {} caught, missed: {missed:?}", self.found.len(), self.found.len() - missed.len())
    }
}
