//! Words that users read in conditions and events: each list is one enum, so that the docs can be held against it.

/// Declares an enum whose variants are words, with `as_str` and `ALL`.
macro_rules! words {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident { $($(#[$doc:meta])* $word:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$doc])* $word,)+
        }

        impl $name {
            /// All of them, as documented.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$word,)+];

            /// The word.
            $visibility const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                }
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::event;
    use crate::handoff::Verdict;
    use crate::status::{Kind, Reason};

    const PAGE: &str = include_str!("../../docs/operations.md");

    /// The words in a column of the table under a heading.
    fn documented(heading: &str, column: usize) -> BTreeSet<&'static str> {
        let after = PAGE.split_once(&format!("\n## {heading}\n")).expect(heading).1;
        let section = after.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter(|line| line.starts_with('|'));
        let cells = rows.filter_map(|row| Some(row.split('|').nth(column)?.trim()));
        cells.filter_map(|cell| cell.strip_prefix('`')?.strip_suffix('`')).collect()
    }

    #[test]
    fn every_condition_and_its_reasons_are_documented_and_no_others() {
        assert_eq!(documented("Conditions of a HandoffGroup", 1), Kind::ALL.iter().map(|one| one.as_str()).collect());
        assert_eq!(documented("Conditions of a HandoffGroup", 3), Reason::ALL.iter().map(|one| one.as_str()).collect());
    }

    #[test]
    fn every_event_is_documented_and_no_others() {
        assert_eq!(documented("Events", 1), event::Reason::ALL.iter().map(|one| one.as_str()).collect());
    }

    const ALERTS: &str = include_str!("../../charts/baton/files/alerts.yaml");
    const DASHBOARD: &str = include_str!("../../charts/baton/files/dashboard.json");

    /// The metrics in a text by whole name, without what a histogram adds.
    fn metrics(text: &'static str) -> BTreeSet<&'static str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = text.split(|c| !is_part(c));
        let named = words.filter(|word| word.starts_with("baton_operator_") || word.starts_with("baton_agent_"));
        named.map(|word| word.trim_end_matches("_bucket")).collect()
    }

    #[test]
    fn every_metric_of_the_operator_is_documented_and_no_others() {
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = crate::metrics::Metrics::default();
        metrics.register(&mut registry);
        let key = crate::index::GroupKey::new("shop", "web");
        metrics.begin(&key);
        metrics.group(&key, &Default::default());
        metrics.refused_connection("no_tls");
        let text = baton_telemetry::encode_metrics(&registry);
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names = types.filter_map(|line| line.split_once(' '));
        let names: BTreeSet<String> =
            names.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.into() }).collect();
        let documented = documented("Metrics", 1).into_iter().filter(|name| name.starts_with("baton_operator_"));
        assert_eq!(documented.map(str::to_owned).collect::<BTreeSet<_>>(), names);
    }

    #[test]
    fn alerts_and_the_dashboard_name_metrics_that_there_are() {
        let page = metrics(PAGE);
        for text in [ALERTS, DASHBOARD] {
            let unknown: Vec<_> = metrics(text).into_iter().filter(|name| !page.contains(name)).collect();
            assert!(unknown.is_empty(), "{unknown:?}");
        }
    }

    #[test]
    fn every_alert_is_documented_and_no_others() {
        let alerts = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
        assert_eq!(documented("Alerts", 1), alerts.collect());
    }

    #[test]
    fn every_reason_of_a_handoff_record_is_documented_and_no_others() {
        assert_eq!(documented("Handoff records", 2), Verdict::ALL.iter().map(|one| one.as_str()).collect());
    }
}
