//! What this server has heard of the arena: who is there, where each avatar is and on which pod, and which of them are its own.
//!
//! It is made of what the store tells, and of nothing else: a process that starts again makes the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::game::{AVATARS, LEFT, PLAYERS, Position};
use crate::store::{Act, Entry, Everything, Member, News, Owner, Stroke};

/// The part of the way to where its player wants to be that an avatar goes in one turn.
const STRIDE: f64 = 0.5;
/// Nearer than this is there.
const NEAR: f64 = 0.05;

/// See above.
#[derive(Default)]
pub(crate) struct Scene {
    /// Everything has been told once.
    complete: bool,
    members: Vec<Member>,
    /// Where players want to be.
    players: BTreeMap<String, Position>,
    avatars: BTreeMap<String, Avatar>,
    /// Players who have left of their own will, not long ago.
    left: BTreeSet<String>,
    /// The avatars that this pod moves.
    reins: BTreeMap<String, Rein>,
}

/// Where an avatar is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

struct Avatar {
    place: Place,
    /// The id of a member.
    owner: Option<String>,
}

struct Rein {
    token: String,
    confirmed: bool,
}

// === impl Scene ===

impl Scene {
    /// Takes note.
    pub(crate) fn hear(&mut self, news: News) {
        match news {
            News::Everything(everything) => *self = Self::of(everything),
            News::Changed(entry) | News::Adopted(entry) | News::Released(entry) => {
                self.hold(&entry);
                self.see(entry);
            }
            News::Members(members) => self.members = members,
        }
    }

    fn of(Everything { members, entries, owned }: Everything) -> Self {
        let mut scene = Self { complete: true, members, ..Self::default() };
        entries.into_iter().for_each(|entry| scene.see(entry));
        owned.iter().for_each(|entry| scene.hold(entry));
        scene
    }

    fn see(&mut self, Entry { map, key, value, owner }: Entry) {
        match map.as_str() {
            PLAYERS => set(&mut self.players, key, read(value)),
            AVATARS => {
                let owner = owner.map(|owner| owner.id);
                set(&mut self.avatars, key, read(value).map(|place| Avatar { place, owner }));
            }
            LEFT if value.is_some() => {
                self.left.insert(key);
            }
            LEFT => {
                self.left.remove(&key);
            }
            _ => {}
        }
    }

    /// Takes the reins of an avatar, or lets go of them.
    fn hold(&mut self, entry: &Entry) {
        if entry.map != AVATARS {
            return;
        }
        let Some(Owner { token, confirmed, .. }) = entry.owner.as_ref().filter(|owner| owner.mine) else {
            self.reins.remove(&entry.key);
            return;
        };
        // Tokens of one key grow, as text too.
        if self.reins.get(&entry.key).is_none_or(|held| held.token <= *token) {
            self.reins.insert(entry.key.clone(), Rein { token: token.clone(), confirmed: *confirmed });
        }
    }

    /// A stroke with this token was refused: another pod moves the avatar.
    pub(crate) fn let_go(&mut self, id: &str, token: &str) {
        if self.reins.get(id).is_some_and(|held| held.token == token) {
            self.reins.remove(id);
        }
    }

    /// Nobody moves this player.
    pub(crate) fn lacks(&self, id: &str) -> bool {
        self.complete && !self.avatars.contains_key(id)
    }

    /// How many avatars this pod moves.
    pub(crate) fn held(&self) -> usize {
        self.reins.len()
    }

    /// What this pod does next: it says what it runs, moves avatars on, and removes those whose players have left.
    pub(crate) fn turn(&self) -> Vec<Stroke> {
        let mut strokes = Vec::new();
        for (id, Rein { token, confirmed }) in &self.reins {
            let stroke = |act| Stroke { map: AVATARS, key: id.clone(), token: token.clone(), act };
            if !confirmed {
                strokes.push(stroke(Act::Confirm));
            }
            let Some(player) = self.players.get(id) else {
                strokes.push(stroke(Act::Delete));
                continue;
            };
            let place = self.avatars.get(id).and_then(|avatar| avatar.place.towards(player.place()));
            strokes.extend(place.map(|place| stroke(Act::Put(place.encode()))));
        }
        strokes
    }

    /// All of it, as the page takes it.
    pub(crate) fn frame(&self) -> Value {
        let me = self.members.iter().find(|member| member.me).map(|member| &member.pod);
        let pods: Vec<Value> =
            self.members.iter().map(|pod| json!({ "name": pod.pod, "leaving": pod.leaving })).collect();
        let players: Vec<Value> = self.players.iter().map(|(id, player)| self.dot(id, player)).collect();
        json!({ "pod": me, "pods": pods, "players": players, "left": self.left })
    }

    /// A player's id, place, and pod: its index, or null while that is not known.
    fn dot(&self, id: &str, player: &Position) -> Value {
        let avatar = self.avatars.get(id);
        let Place { x, y } = avatar.map_or(player.place(), |avatar| avatar.place);
        let owner = avatar.and_then(|avatar| avatar.owner.as_ref());
        let pod = owner.and_then(|owner| self.members.iter().position(|member| member.id == *owner));
        json!([id, x, y, pod])
    }
}

// === impl Place ===

impl Place {
    /// The next place on the way; none when it is there.
    fn towards(self, to: Self) -> Option<Self> {
        let (dx, dy) = (to.x - self.x, to.y - self.y);
        let step = |from: f64, way: f64| ((from + way * STRIDE) * 100.0).round() / 100.0;
        (dx.hypot(dy) > NEAR).then(|| Self { x: step(self.x, dx), y: step(self.y, dy) })
    }

    pub(crate) fn encode(self) -> bytes::Bytes {
        json!(self).to_string().into()
    }
}

/// Puts, or removes.
fn set<T>(map: &mut BTreeMap<String, T>, key: String, value: Option<T>) {
    match value {
        Some(value) => drop(map.insert(key, value)),
        None => drop(map.remove(&key)),
    }
}

/// Nothing, if it is not what this server writes.
fn read<T: DeserializeOwned>(value: Option<Value>) -> Option<T> {
    serde_json::from_value(value?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, me: bool) -> Member {
        Member { id: id.into(), pod: format!("pod-{id}"), leaving: false, me }
    }

    fn player(id: &str, x: f64) -> Entry {
        Entry { map: PLAYERS.into(), key: id.into(), value: Some(json!({"x": x, "y": 0.0, "step": 1})), owner: None }
    }

    fn avatar(id: &str, x: f64, owner: &str, token: &str) -> Entry {
        let owner = Owner { id: owner.into(), token: token.into(), confirmed: false, mine: owner == "a" };
        Entry { map: AVATARS.into(), key: id.into(), value: Some(json!({"x": x, "y": 0.0})), owner: Some(owner) }
    }

    /// Ann moves on this pod, `a`; Bob on another.
    fn scene() -> Scene {
        let (ann, bob) = (avatar("ann", 0.0, "a", "1"), avatar("bob", 0.0, "b", "1"));
        let entries = vec![player("ann", 8.0), player("bob", 8.0), ann.clone(), bob];
        let mut scene = Scene::default();
        scene.hear(News::Everything(Everything {
            members: vec![member("a", true), member("b", false)],
            entries,
            owned: vec![ann],
        }));
        scene
    }

    /// In words.
    fn acts(scene: &Scene) -> Vec<String> {
        let text = |Stroke { key, token, act, .. }: Stroke| match act {
            Act::Confirm => format!("confirm {key} {token}"),
            Act::Delete => format!("delete {key} {token}"),
            Act::Put(value) => format!("put {key} {token} {}", String::from_utf8_lossy(&value)),
        };
        scene.turn().into_iter().map(text).collect()
    }

    #[test]
    fn a_pod_moves_what_it_owns_towards_where_its_player_wants_to_be() {
        assert_eq!(acts(&scene()), ["confirm ann 1", r#"put ann 1 {"x":4.0,"y":0.0}"#]);
    }

    #[test]
    fn an_avatar_that_is_there_is_not_written_again() {
        let mut scene = scene();
        scene.hear(News::Changed(avatar("ann", 8.0, "a", "1")));
        assert_eq!(acts(&scene), ["confirm ann 1"]);
    }

    #[test]
    fn what_is_adopted_is_moved_on_from_where_it_was_with_the_new_token() {
        let mut scene = scene();
        scene.hear(News::Adopted(avatar("bob", 6.0, "a", "2")));
        assert_eq!(acts(&scene)[2..], ["confirm bob 2", r#"put bob 2 {"x":7.0,"y":0.0}"#]);
    }

    #[test]
    fn what_is_released_or_refused_is_let_go() {
        let mut scene = scene();
        scene.hear(News::Released(avatar("ann", 0.0, "b", "2")));
        assert_eq!(scene.held(), 0);
        scene.hear(News::Adopted(avatar("ann", 0.0, "a", "3")));
        scene.let_go("ann", "1");
        assert_eq!(scene.held(), 1, "that was refused for an older token");
        scene.let_go("ann", "3");
        assert_eq!(scene.held(), 0);
    }

    #[test]
    fn the_avatar_of_a_player_who_has_left_is_removed_by_its_owner() {
        let mut scene = scene();
        scene.hear(News::Changed(Entry { value: None, ..player("ann", 0.0) }));
        assert_eq!(acts(&scene), ["confirm ann 1", "delete ann 1"]);
    }

    #[test]
    fn a_player_without_an_avatar_is_seen_and_belongs_to_no_pod() {
        let mut scene = scene();
        assert!(!scene.lacks("bob"));
        scene.hear(News::Changed(Entry { value: None, owner: None, ..avatar("bob", 0.0, "b", "1") }));
        assert!(scene.lacks("bob"));
        let frame = scene.frame();
        assert_eq!(frame["players"], json!([["ann", 0.0, 0.0, 0], ["bob", 8.0, 0.0, null]]));
        assert_eq!(frame["pod"], "pod-a");
    }
}
