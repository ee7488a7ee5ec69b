//! Profiles that make one kind of trouble likely: what needs several things to go wrong at once is never met by chance.

use std::time::Duration;

use baton_replica::AckLevel;

use super::{Profile, Weights};
use crate::rng::Rng;
use crate::scene::{OLD_WORDS, SCENES, Scene};

/// Of a thousand seeds without another theme, so many play a scene of old words.
const OLD_WORDS_PART: u64 = 60;

/// Turns some profiles to a theme.
pub(super) fn apply(profile: &mut Profile, rng: &mut Rng) {
    match rng.below(16) {
        0 | 1 => exodus(profile, rng),
        2 => newcomers(profile, rng),
        3 => departures(profile, rng),
        4 => deadlines(profile, rng),
        5 => losses(profile, rng),
        6 => corruption(profile, rng),
        7 | 8 => scene(profile, rng),
        9 => exiles(profile, rng),
        10 => eclipses(profile, rng),
        11 => anew(profile, rng),
        12 => sessions(profile, rng),
        _ if rng.chance(OLD_WORDS_PART) => {
            dense(profile, rng);
            play(profile, rng.pick(&OLD_WORDS));
        }
        _ => {}
    }
}

/// Several leave at once, with few messages between them, and not many are left.
fn exodus(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = rng.within(2, 4);
    profile.grace = 30_000;
    // The operator tells nobody in time.
    profile.news_delay = rng.pick(&[5, 1_000]);
    profile.push_delay = rng.pick(&[50, 5_000, 5_000]);
    profile.phase_last = rng.chance(500);
    profile.phase_late = rng.chance(400);
    profile.app_stop = rng.pick(&[200, 2_000]);
    profile.settings.handoff_timeout = Duration::from_secs(20);
    profile.settings.write_acks = AckLevel::Count(rng.pick(&[1, 1, 2]));
    let w = Weights::NONE;
    let (put, exchange, deliver) = (20, rng.pick(&[30, 60]), rng.pick(&[10, 40]));
    let (terminate, hook, stop) = (rng.pick(&[4, 10]), 3, rng.pick(&[2, 6]));
    let (cut, crash, lose, push) = (rng.pick(&[0, 3]), rng.pick(&[0, 2]), rng.pick(&[0, 2]), rng.pick(&[0, 4]));
    let delete = 3;
    let release = rng.pick(&[0, 0, 1]);
    profile.weights =
        Weights { put, delete, exchange, deliver, terminate, hook, stop, cut, crash, lose, push, release, ..w };
}

/// New members take the state from some while others have not heard of them.
fn newcomers(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = 2;
    // With more of them, a transfer is not all on its way at once.
    profile.keys = rng.pick(&[4, 8]);
    profile.push_delay = 5_000;
    for limits in &mut profile.limits {
        limits.batch_bytes = 1;
    }
    let w = Weights::NONE;
    let (put, delete, exchange, deliver) = (20, 15, rng.pick(&[20, 40]), rng.pick(&[30, 60]));
    let (garbage, repeat) = (rng.pick(&[0, 0, 3]), rng.pick(&[0, 0, 3]));
    profile.weights =
        Weights { put, delete, exchange, deliver, start: 5, cut: 6, lose: 2, push: 6, replay: 3, garbage, repeat, ..w };
}

/// Members come and go, and others go on with what they had.
fn departures(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = rng.within(2, 4);
    profile.push_delay = rng.pick(&[0, 5, 50]);
    profile.skew = rng.pick(&[0, 10_000_000]);
    let w = Weights::NONE;
    let (put, delete, exchange, deliver) = (10, 5, 60, 20);
    let (count, own, odd, batch) = (rng.pick(&[0, 20]), rng.pick(&[0, 15]), rng.pick(&[0, 10]), rng.pick(&[0, 10]));
    profile.weights = Weights {
        put,
        delete,
        count,
        own,
        odd,
        batch,
        exchange,
        deliver,
        crash: rng.pick(&[1, 4]),
        lose: 1,
        cut: 2,
        garbage: rng.pick(&[0, 0, 3]),
        repeat: rng.pick(&[0, 0, 3]),
        ..w
    };
}

/// Several are lost at once, and the others have different parts of what they wrote.
fn losses(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = rng.within(4, 5);
    profile.keys = rng.within(1, 3);
    profile.push_delay = rng.pick(&[0, 5, 50]);
    for limits in &mut profile.limits {
        limits.max_slots = 64;
    }
    let w = Weights::NONE;
    let (put, delete, exchange, deliver) = (15, rng.pick(&[0, 3]), rng.pick(&[20, 40]), rng.pick(&[20, 40]));
    let (cut, partition, push, replay) = (rng.pick(&[0, 4]), rng.pick(&[0, 4]), 3, rng.pick(&[0, 3]));
    let (lose, crash) = (rng.pick(&[2, 5]), rng.pick(&[0, 2]));
    profile.weights = Weights { put, delete, exchange, deliver, cut, partition, push, replay, lose, crash, ..w };
}

/// Entries are lost on their way. Nobody ends, who might be the only one that has them, and nobody comes on.
fn corruption(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = rng.within(2, 3);
    for limits in &mut profile.limits {
        limits.max_slots = 10_000;
    }
    let w = Weights::NONE;
    let (put, delete, exchange, deliver, corrupt) = (20, 5, 30, 30, 5);
    profile.weights = Weights { put, delete, exchange, deliver, corrupt, ..w };
}

/// Versions expire while those who still hold them cannot be reached.
fn deadlines(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = rng.within(2, 3);
    profile.keys = 2;
    profile.gap = rng.pick(&[10, 50]);
    let w = Weights::NONE;
    let (put, delete, expire, exchange, deliver) = (20, 5, 20, 40, 20);
    profile.weights = Weights { put, delete, expire, exchange, deliver, cut: 3, replay: 3, crash: 1, ..w };
}

/// What was built by hand.
fn scene(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    play(profile, rng.pick(&SCENES));
}

fn play(profile: &mut Profile, scene: Scene) {
    profile.scene = Some(scene);
    profile.pods = scene.pods();
    profile.keys = 8;
    profile.skew = 0;
    profile.settle = 1;
    profile.check_every = 1;
    profile.grace = 30_000;
    profile.settings.accept_when_alone = true;
    profile.settings.handoff_acks = 1;
    if OLD_WORDS.contains(&scene) {
        // The leaver's word is not waited for by who hands on what it got from it.
        profile.settings.write_acks = AckLevel::Count(0);
    }
    for limits in &mut profile.limits {
        (limits.max_slots, limits.batch_bytes) = (64, 1);
    }
    (profile.news_delay, profile.push_delay) = match scene {
        Scene::LastWord | Scene::OldAnswer | Scene::OldAck | Scene::OldHook | Scene::Unsaid | Scene::Hearsay => {
            (0, 5_000)
        }
        Scene::Couple => (1_000, 5_000),
        Scene::Estate
        | Scene::Orphan
        | Scene::Newcomer
        | Scene::Strangers
        | Scene::Heir
        | Scene::Returners
        | Scene::Turns
        | Scene::Bequest => (0, 0),
    };
    profile.phase_late = matches!(scene, Scene::Couple | Scene::OldAnswer | Scene::OldAck | Scene::OldHook);
    profile.weights = Weights::NONE;
}

/// Processes are taken for dead and removed, and come back with what nobody else has.
fn exiles(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = rng.within(2, 4);
    profile.keys = rng.within(1, 3);
    profile.news_delay = rng.pick(&[0, 5]);
    profile.push_delay = rng.pick(&[0, 5, 50]);
    let w = Weights::NONE;
    let (put, delete, exchange, deliver) = (20, 8, rng.pick(&[30, 60]), 20);
    let (count, own, exile) = (rng.pick(&[0, 20]), rng.pick(&[0, 10]), rng.pick(&[2, 5]));
    let (crash, lose, start, cut) = (rng.pick(&[0, 2]), rng.pick(&[0, 1]), rng.pick(&[0, 2]), 2);
    profile.weights = Weights { put, delete, count, own, exchange, deliver, exile, crash, lose, start, cut, ..w };
}

/// All who hold the state go out of sight, and somebody starts without it before they come back.
fn eclipses(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = rng.within(1, 3);
    profile.keys = rng.within(1, 3);
    profile.news_delay = rng.pick(&[0, 5]);
    profile.push_delay = rng.pick(&[0, 5, 50]);
    let w = Weights::NONE;
    let (put, delete, exchange, deliver) = (20, 8, rng.pick(&[30, 60]), 20);
    let (count, own, eclipse) = (rng.pick(&[0, 20]), rng.pick(&[0, 10]), rng.pick(&[2, 5]));
    let (crash, lose, start, terminate) = (rng.pick(&[0, 2]), rng.pick(&[0, 2]), rng.pick(&[0, 2]), rng.pick(&[0, 4]));
    let (stop, cut) = (terminate, rng.pick(&[0, 2]));
    profile.weights =
        Weights { put, delete, count, own, exchange, deliver, eclipse, crash, lose, start, terminate, stop, cut, ..w };
}

/// The group's object is made anew while members come and go, and not everybody hears of it at once.
fn anew(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = rng.within(2, 4);
    profile.news_delay = rng.pick(&[0, 5, 50]);
    profile.push_delay = rng.pick(&[5, 50, 1_000]);
    let w = Weights::NONE;
    let (put, delete, exchange, deliver) = (20, 8, rng.pick(&[30, 60]), 20);
    let (count, own, anew, exile) = (rng.pick(&[0, 15]), rng.pick(&[0, 10]), rng.pick(&[2, 5]), rng.pick(&[0, 0, 2]));
    let (crash, lose, start, cut) = (rng.pick(&[0, 3]), rng.pick(&[1, 2]), rng.pick(&[1, 3]), 2);
    let (terminate, push) = (rng.pick(&[0, 3]), 3);
    let stop = terminate;
    profile.weights = Weights {
        put,
        delete,
        exchange,
        deliver,
        count,
        own,
        anew,
        exile,
        crash,
        lose,
        start,
        cut,
        terminate,
        stop,
        push,
        ..w
    };
}

/// Sessions move from those who leave to those who stay, whose apps confirm in their own time, while others write to them.
fn sessions(profile: &mut Profile, rng: &mut Rng) {
    dense(profile, rng);
    profile.pods = rng.within(2, 4);
    profile.keys = rng.within(1, 3);
    profile.grace = 30_000;
    profile.news_delay = rng.pick(&[0, 5, 50]);
    profile.push_delay = rng.pick(&[0, 5, 50, 1_000]);
    profile.app_stop = rng.pick(&[20, 200]);
    profile.settings.handoff_timeout = Duration::from_secs(20);
    if rng.chance(700) {
        profile.settings.on_departure.clear();
    }
    let w = Weights::NONE;
    let (put, own, exchange, deliver) = (20, 20, rng.pick(&[40, 60]), rng.pick(&[20, 40]));
    let (delete, expire, count) = (rng.pick(&[0, 0, 3]), rng.pick(&[0, 0, 3]), rng.pick(&[0, 0, 5]));
    let (terminate, hook, stop) = (rng.pick(&[3, 6]), rng.pick(&[0, 2]), 2);
    let (crash, lose, exile) = (rng.pick(&[0, 0, 2]), rng.pick(&[0, 0, 1]), rng.pick(&[0, 0, 0, 1]));
    let (cut, push, freeze, batch) = (rng.pick(&[0, 2]), rng.pick(&[0, 3]), rng.pick(&[0, 0, 1]), rng.pick(&[0, 0, 4]));
    let (roll, release) = (rng.pick(&[0, 0, 1]), rng.pick(&[0, 0, 1]));
    profile.weights = Weights {
        put,
        own,
        exchange,
        deliver,
        delete,
        expire,
        count,
        terminate,
        hook,
        stop,
        crash,
        lose,
        exile,
        cut,
        push,
        freeze,
        batch,
        roll,
        release,
        ..w
    };
}

/// Nothing happens by itself between two actions, and everything meets in a few keys.
fn dense(profile: &mut Profile, rng: &mut Rng) {
    profile.held = true;
    profile.delay = 0;
    profile.shards = 1;
    profile.actions = rng.pick(&[60, 100, 140]);
    profile.gap = rng.pick(&[2, 10, 50]);
    profile.check_every = rng.pick(&[2, 4]);
}
