//! What a group asks of its members.
//!
//! What this release does not know counts as not said: a newer operator must not make an older agent drop its list.

use std::collections::BTreeMap;
use std::time::Duration;

use baton_replica::{AckLevel, Completion, MapLimits, MapName, OnDeparture, Settings};

use crate::directory as wire;

/// Settings from the wire. An operator that sends none means the defaults.
pub(super) fn settings_from_wire(settings: wire::Settings) -> Settings {
    let defaults = Settings::default();
    if settings == wire::Settings::default() {
        return defaults;
    }
    let timeout = Duration::from_millis(settings.handoff_timeout_millis);
    let completion = match settings.completion() {
        wire::Completion::Unspecified => Completion::Replicated,
        wire::Completion::Adopted => Completion::Adopted,
        wire::Completion::Confirmed => Completion::Confirmed,
    };
    let mut known = Settings {
        handoff_acks: settings.handoff_acks.max(1),
        handoff_timeout: if timeout.is_zero() { defaults.handoff_timeout } else { timeout },
        completion,
        write_acks: level(settings.default_write_rule(), settings.default_write_acks),
        accept_when_alone: settings.accept_when_alone,
        ..defaults
    };
    // In one order and each once, so that a list that is passed on stays the same.
    let mut maps: BTreeMap<MapName, wire::MapSettings> = BTreeMap::new();
    for map in settings.maps {
        if let Ok(name) = MapName::parse(&map.name) {
            maps.entry(name).or_insert(map);
        }
    }
    for (name, map) in maps {
        let limit = |bound: u64| (bound > 0).then_some(bound);
        let limits = MapLimits {
            max_bytes: limit(map.max_bytes),
            max_entries: limit(map.max_entries),
            max_value_bytes: limit(map.max_value_bytes),
        };
        let has_level = map.write_acks.is_some() || map.write_rule() != wire::AckRule::Unspecified;
        if has_level {
            known.map_acks.push((name.clone(), level(map.write_rule(), map.write_acks())));
        }
        match map.on_departure() {
            wire::OnDeparture::Unspecified => {}
            wire::OnDeparture::Keep => known.on_departure.push((name.clone(), OnDeparture::Keep)),
            wire::OnDeparture::Release => known.on_departure.push((name.clone(), OnDeparture::Release)),
        }
        known.maps.push((name, limits));
    }
    known
}

/// Settings for the wire.
pub(super) fn settings_to_wire(settings: &Settings) -> wire::Settings {
    let (rule, acks) = rule(settings.write_acks);
    wire::Settings {
        handoff_acks: settings.handoff_acks,
        handoff_timeout_millis: settings.handoff_timeout.as_millis().try_into().unwrap_or(u64::MAX),
        default_write_acks: acks,
        accept_when_alone: settings.accept_when_alone,
        maps: maps_to_wire(settings),
        default_write_rule: rule.into(),
        completion: match settings.completion {
            Completion::Replicated => wire::Completion::Unspecified,
            Completion::Adopted => wire::Completion::Adopted,
            Completion::Confirmed => wire::Completion::Confirmed,
        }
        .into(),
    }
}

/// All maps of which something is said, each once.
fn maps_to_wire(settings: &Settings) -> Vec<wire::MapSettings> {
    let mut maps: BTreeMap<&MapName, wire::MapSettings> = BTreeMap::new();
    for (name, limits) in &settings.maps {
        let map = maps.entry(name).or_default();
        map.max_bytes = limits.max_bytes.unwrap_or(0);
        map.max_entries = limits.max_entries.unwrap_or(0);
        map.max_value_bytes = limits.max_value_bytes.unwrap_or(0);
    }
    for (name, level) in &settings.map_acks {
        let (rule, acks) = rule(*level);
        let map = maps.entry(name).or_default();
        map.write_acks = Some(acks);
        map.set_write_rule(rule);
    }
    for (name, what) in &settings.on_departure {
        maps.entry(name).or_default().set_on_departure(match what {
            OnDeparture::Adopt => wire::OnDeparture::Unspecified,
            OnDeparture::Keep => wire::OnDeparture::Keep,
            OnDeparture::Release => wire::OnDeparture::Release,
        });
    }
    maps.into_iter().map(|(name, map)| wire::MapSettings { name: name.to_string(), ..map }).collect()
}

const fn level(rule: wire::AckRule, acks: u32) -> AckLevel {
    match rule {
        wire::AckRule::Unspecified => AckLevel::Count(acks),
        wire::AckRule::Majority => AckLevel::Majority,
        wire::AckRule::All => AckLevel::All,
    }
}

/// The rule, and the number for agents of a release that knows no rules.
const fn rule(level: AckLevel) -> (wire::AckRule, u32) {
    match level {
        AckLevel::Count(count) => (wire::AckRule::Unspecified, count),
        AckLevel::Majority => (wire::AckRule::Majority, 1),
        AckLevel::All => (wire::AckRule::All, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &str) -> MapName {
        MapName::parse(name).expect("valid")
    }

    #[test]
    fn settings_come_back_as_they_were_sent() {
        let settings = Settings {
            handoff_acks: 2,
            handoff_timeout: Duration::from_millis(1_500),
            completion: Completion::Confirmed,
            write_acks: AckLevel::Majority,
            accept_when_alone: false,
            maps: vec![(map("a"), MapLimits { max_entries: Some(4), ..MapLimits::default() })],
            map_acks: vec![(map("a"), AckLevel::Count(0))],
            on_departure: vec![(map("a"), OnDeparture::Release)],
        };
        assert_eq!(settings_from_wire(settings_to_wire(&settings)), settings);
    }

    #[test]
    fn a_map_needs_no_limits_to_be_named() {
        let settings = Settings {
            map_acks: vec![(map("a"), AckLevel::All)],
            on_departure: vec![(map("b"), OnDeparture::Keep)],
            ..Settings::default()
        };
        let back = settings_from_wire(settings_to_wire(&settings));
        assert_eq!((back.map_acks, back.on_departure), (settings.map_acks, settings.on_departure));
    }

    #[test]
    fn a_map_that_is_named_twice_is_what_it_was_first() {
        let named = |name: &str, max_bytes| wire::MapSettings { name: name.into(), max_bytes, ..Default::default() };
        let maps = vec![named("b", 1), named("a", 2), named("b", 3)];
        let known = settings_from_wire(wire::Settings { maps, ..settings_to_wire(&Settings::default()) });
        let limits = |bytes| MapLimits { max_bytes: Some(bytes), ..MapLimits::default() };
        assert_eq!(known.maps, [(map("a"), limits(2)), (map("b"), limits(1))]);
        assert_eq!(settings_from_wire(settings_to_wire(&known)), known);
    }

    #[test]
    fn what_is_not_said_or_not_known_is_the_default() {
        assert_eq!(settings_from_wire(wire::Settings::default()), Settings::default());
        let mut newer = settings_to_wire(&Settings::default());
        (newer.completion, newer.default_write_rule) = (99, 99);
        newer.maps =
            vec![wire::MapSettings { name: "a".into(), on_departure: 99, write_rule: 99, ..Default::default() }];
        let known = settings_from_wire(newer);
        let maps = vec![(map("a"), MapLimits::default())];
        assert_eq!(known, Settings { maps, ..Settings::default() });
    }

    #[test]
    fn an_agent_that_knows_no_rules_waits_for_one_member() {
        let sent = settings_to_wire(&Settings { write_acks: AckLevel::All, ..Settings::default() });
        assert_eq!(sent.default_write_acks, 1);
    }
}
