//! What a members file asks of its members, in the words of a HandoffGroup's spec.

use std::time::Duration;

use baton_replica::{AckLevel, Completion, MapLimits, MapName, OnDeparture, Settings};
use serde::Deserialize;

/// The longest hold that a file may ask for, as in a HandoffGroup.
const MAX_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Acknowledgements that a file may ask for, as in a HandoffGroup.
const MAX_ACKS: u32 = 16;

/// The parts of a members file that are no members. What is left out is the default.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SettingsText {
    replication: ReplicationText,
    handoff: HandoffText,
    maps: Vec<MapText>,
}

/// A setting that cannot be; nothing of the file was taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("asks for {0:?} acknowledgements; a number from 0 to 16, \"majority\" and \"all\" can be")]
    Acks(String),
    #[error("asks for {0} survivors; 1 to 16 can be")]
    Survivors(u32),
    #[error("has the handoff timeout {0:?}; write whole seconds, from \"1s\" to \"3600s\"")]
    Timeout(String),
    #[error("names the map {0:?}, which is none: lower case letters, digits, '-', '_' and '.' can be")]
    Map(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ReplicationText {
    acks: Option<AcksText>,
    when_alone: WhenAloneText,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HandoffText {
    acks: Option<u32>,
    timeout: Option<String>,
    completion: CompletionText,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MapText {
    name: String,
    max_bytes: Option<u64>,
    max_entries: Option<u64>,
    max_value_bytes: Option<u64>,
    acks: Option<AcksText>,
    #[serde(default)]
    on_departure: OnDepartureText,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AcksText {
    Count(u32),
    Word(String),
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum WhenAloneText {
    #[default]
    Accept,
    Reject,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum CompletionText {
    #[default]
    Replicated,
    Adopted,
    Confirmed,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum OnDepartureText {
    #[default]
    Adopt,
    Keep,
    Release,
}

// === impl SettingsText ===

impl SettingsText {
    /// Checks what was written.
    pub(super) fn check(self) -> Result<Settings, SettingsError> {
        let Self { replication, handoff, maps } = self;
        let defaults = Settings::default();
        let mut settings = Settings {
            handoff_acks: survivors(handoff.acks.unwrap_or(defaults.handoff_acks))?,
            handoff_timeout: handoff.timeout.map_or(Ok(defaults.handoff_timeout), timeout)?,
            completion: match handoff.completion {
                CompletionText::Replicated => Completion::Replicated,
                CompletionText::Adopted => Completion::Adopted,
                CompletionText::Confirmed => Completion::Confirmed,
            },
            write_acks: replication.acks.map_or(Ok(defaults.write_acks), AcksText::check)?,
            accept_when_alone: matches!(replication.when_alone, WhenAloneText::Accept),
            ..defaults
        };
        for map in maps {
            let name = MapName::parse(&map.name).map_err(|_| SettingsError::Map(map.name))?;
            let MapText { max_bytes, max_entries, max_value_bytes, .. } = map;
            if let Some(acks) = map.acks {
                settings.map_acks.push((name.clone(), acks.check()?));
            }
            match map.on_departure {
                OnDepartureText::Adopt => {}
                OnDepartureText::Keep => settings.on_departure.push((name.clone(), OnDeparture::Keep)),
                OnDepartureText::Release => settings.on_departure.push((name.clone(), OnDeparture::Release)),
            }
            settings.maps.push((name, MapLimits { max_bytes, max_entries, max_value_bytes }));
        }
        Ok(settings)
    }
}

// === impl AcksText ===

impl AcksText {
    fn check(self) -> Result<AckLevel, SettingsError> {
        match self {
            Self::Count(count) if count <= MAX_ACKS => Ok(AckLevel::Count(count)),
            Self::Count(count) => Err(SettingsError::Acks(count.to_string())),
            Self::Word(word) => match word.as_str() {
                "majority" => Ok(AckLevel::Majority),
                "all" => Ok(AckLevel::All),
                _ => Err(SettingsError::Acks(word)),
            },
        }
    }
}

fn survivors(acks: u32) -> Result<u32, SettingsError> {
    if (1..=MAX_ACKS).contains(&acks) { Ok(acks) } else { Err(SettingsError::Survivors(acks)) }
}

fn timeout(text: String) -> Result<Duration, SettingsError> {
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let fits = |timeout: &Duration| (Duration::from_secs(1)..=MAX_TIMEOUT).contains(timeout);
    seconds.filter(fits).ok_or(SettingsError::Timeout(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Settings, String> {
        let text: SettingsText = serde_json::from_str(text).map_err(|error| error.to_string())?;
        text.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        assert_eq!(check("{}"), Ok(Settings::default()));
        assert_eq!(check(r#"{"replication":{},"handoff":{},"maps":[]}"#), Ok(Settings::default()));
    }

    #[test]
    fn settings_are_read_in_the_words_of_a_handoff_group() {
        let read = check(
            r#"{"replication":{"acks":"majority","whenAlone":"Reject"},
                "handoff":{"acks":2,"timeout":"40s","completion":"Adopted"},
                "maps":[{"name":"presence","acks":0,"onDeparture":"Release","maxEntries":9}]}"#,
        );
        let map = MapName::parse("presence").expect("valid");
        let limits = MapLimits { max_entries: Some(9), ..MapLimits::default() };
        let meant = Settings {
            handoff_acks: 2,
            handoff_timeout: Duration::from_secs(40),
            completion: Completion::Adopted,
            write_acks: AckLevel::Majority,
            accept_when_alone: false,
            maps: vec![(map.clone(), limits)],
            map_acks: vec![(map.clone(), AckLevel::Count(0))],
            on_departure: vec![(map, OnDeparture::Release)],
        };
        assert_eq!(read, Ok(meant));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        for (text, says) in [
            (r#"{"replication":{"acks":"most"}}"#, "majority"),
            (r#"{"replication":{"acks":17}}"#, "0 to 16"),
            (r#"{"handoff":{"acks":0}}"#, "1 to 16"),
            (r#"{"handoff":{"timeout":"0s"}}"#, "whole seconds"),
            (r#"{"handoff":{"timeout":"soon"}}"#, "whole seconds"),
            (r#"{"handoff":{"completion":"Done"}}"#, "Confirmed"),
            (r#"{"maps":[{"name":"A"}]}"#, "lower case"),
            (r#"{"maps":[{"name":"a","onDeparture":"Drop"}]}"#, "Release"),
        ] {
            let error = check(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
