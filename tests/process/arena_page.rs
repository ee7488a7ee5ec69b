//! Who looks at the arena's page sees a rollout go by: every player changes its colour, goes on moving, and nobody vanishes,
//! also when the pod goes that the page is fed from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use baton_tests::browser::Browser;
use baton_tests::crowd::{self, Crowd};
use baton_tests::scene::{self, Failure};
use baton_tests::server::Fleet;
use baton_tests::wait::{self, PATIENCE};
use serde::Deserialize;

/// Of what `docs/arena.png` shows.
const SIZE: (u32, u32) = (960, 800);
/// What [`Crowd`] plays with.
const PLAYERS: usize = 40;

/// What is on the page.
const SEEN: &str = "({
    state: document.querySelector('#state').textContent,
    away: document.body.classList.contains('away'),
    lost: Number(document.querySelector('#lost').textContent),
    dots: [...document.querySelectorAll('.dot')].map(({ dataset, style }) =>
        ({ id: dataset.id, pod: dataset.pod ?? '', place: style.transform })),
})";

#[derive(Debug, Deserialize)]
struct Seen {
    state: String,
    away: bool,
    lost: usize,
    dots: Vec<Dot>,
}

#[derive(Debug, Deserialize)]
struct Dot {
    id: String,
    pod: String,
    place: String,
}

#[derive(Deserialize)]
struct Record {
    players: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    fate: String,
}

#[test]
fn a_rollout_goes_by_on_the_page_and_nobody_vanishes() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut fleet = Fleet::start(folder, 3)?;
        let crowd = Crowd::start(folder)?;
        let service = fleet.service()?;
        let mut browser = Browser::open(&service.url(), folder, SIZE)?;
        let before = wait_for(&mut browser, "all players are there, on three pods", |seen| {
            seen.dots.len() >= PLAYERS && seen.pods().len() == 3
        })?;

        let fed_from = before.fed_from().context("the page does not say which pod it is fed from")?.to_owned();
        fleet.replace(&fed_from)?;
        let after =
            wait_for(&mut browser, "the page is fed from another pod, on which the players live now", |seen| {
                seen.fed_from().is_some_and(|pod| pod != fed_from) && !seen.pods().contains(fed_from.as_str())
            })?;
        ensure!(after.pods().len() > 1, "all players have the same colour: {after:?}");
        let moved = |seen: &Seen| {
            let then = after.places();
            seen.places().iter().filter(|(id, place)| then.get(*id).is_some_and(|then| then != *place)).count()
        };
        wait_for(&mut browser, "players of every pod go on moving", |seen| moved(seen) > PLAYERS / 2)?;
        for pod in ["web-1", "web-2", "web-3"].into_iter().filter(|pod| *pod != fed_from) {
            fleet.replace(pod)?;
        }
        std::fs::write(folder.join("page.png"), browser.screenshot()?).context("cannot write the picture")?;

        let record = crowd.finish()?;
        let fates = fates(&record)?;
        wait_for(&mut browser, "those are on the page who have not left, and nobody else", |seen| {
            let ids = seen.ids();
            let all = fates.iter().filter(|(_, fate)| *fate == "playing").all(|(id, _)| ids.contains(id.as_str()));
            let no_other = ids.iter().all(|id| fates.get(*id).is_some_and(|fate| fate != "left"));
            seen.lost == 0 && all && no_other
        })?;
        crowd::check(&record, &fleet.urls())?.ensure_clean()
    })
}

/// Looks until what is seen is so.
fn wait_for(browser: &mut Browser, what: &str, is_so: impl Fn(&Seen) -> bool) -> Result<Seen> {
    wait::until(PATIENCE, what, || {
        let seen: Seen = serde_json::from_value(browser.evaluate(SEEN)?)?;
        ensure!(is_so(&seen), "{} players, {} lost, on {:?}: {}", seen.dots.len(), seen.lost, seen.pods(), seen.state);
        Ok(seen)
    })
}

/// What became of each player.
fn fates(record: &Path) -> Result<BTreeMap<String, String>> {
    let Record { players } = serde_json::from_slice(&std::fs::read(record)?)?;
    Ok(players.into_iter().map(|row| (row.id, row.fate)).collect())
}

// === impl Seen ===

impl Seen {
    fn fed_from(&self) -> Option<&str> {
        self.state.strip_prefix("live from ").filter(|_| !self.away)
    }

    fn pods(&self) -> BTreeSet<&str> {
        self.dots.iter().map(|dot| dot.pod.as_str()).filter(|pod| !pod.is_empty()).collect()
    }

    fn ids(&self) -> BTreeSet<&str> {
        self.dots.iter().map(|dot| dot.id.as_str()).collect()
    }

    fn places(&self) -> BTreeMap<&str, &str> {
        self.dots.iter().map(|dot| (dot.id.as_str(), dot.place.as_str())).collect()
    }
}
