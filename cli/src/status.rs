//! `status`: groups at a glance, or one of them in full.

use baton_crds::handoff::Handoff;
use baton_crds::status::HandoffOutcome;
use baton_crds::{HandoffGroup, Membership};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use crate::args::StatusArgs;
use crate::cluster::{Cluster, list};
use crate::failure::{Failure, Outcome, sentence};
use crate::output::{self, List, Width};
use crate::table::Table;
use crate::{handoff, human, member};

/// How many handoffs the full view shows: a rollout of a usual group.
const LAST: usize = 5;

/// What is shown of one group.
struct Facts {
    group: HandoffGroup,
    membership: Option<Membership>,
    pods: Vec<Pod>,
    handoffs: Vec<Handoff>,
}

/// Runs the command.
pub(crate) async fn run(cluster: &Cluster, args: &StatusArgs) -> Result<Outcome, Failure> {
    let now = Timestamp::now();
    if let Some(name) = &args.group {
        let facts = look(cluster, name).await?;
        match args.output.table() {
            Some(width) => output::text(&full(&facts, width, now))?,
            None => args.output.document(&facts.group)?,
        }
        return Ok(Outcome::Well);
    }
    let everywhere = args.all_namespaces;
    let place = if everywhere { "anywhere".to_owned() } else { format!("in namespace {}", cluster.namespace) };
    let groups = list::<HandoffGroup>(&cluster.api_of(everywhere), "", &place).await?;
    let Some(width) = args.output.table() else {
        return args.output.document(&List::of(groups)).map(|()| Outcome::Well);
    };
    let table = glance(&groups, everywhere, width, now);
    if table.is_empty() {
        output::note(&format!("There is no HandoffGroup {place}."));
    } else {
        output::text(&table.text(0))?;
    }
    Ok(Outcome::Well)
}

async fn look(cluster: &Cluster, name: &str) -> Result<Facts, Failure> {
    let group = cluster.group(name).await?;
    let membership = cluster.api::<Membership>().get_opt(name).await;
    let membership = membership.map_err(|error| Failure::of(&error, &format!("read Membership {name}")))?;
    let of_group = format!("{}={name}", baton_crds::label::GROUP);
    let pods = cluster.list::<Pod>(&of_group).await?;
    // Who may not read the records still sees the rest.
    let records = kube::api::ListParams::default().labels(&of_group);
    let handoffs = match cluster.api::<Handoff>().list(&records).await {
        Ok(listed) => handoff::newest_first(listed.items),
        Err(error) => {
            output::note(&format!("The records of handoffs cannot be read: {}", sentence(&error)));
            Vec::new()
        }
    };
    Ok(Facts { group, membership, pods, handoffs })
}

/// A condition of a group.
pub(crate) fn condition<'a>(group: &'a HandoffGroup, kind: &str) -> Option<&'a Condition> {
    group.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether the operator has looked at the group as it is now.
pub(crate) fn is_observed(group: &HandoffGroup) -> bool {
    let seen = group.status.as_ref().and_then(|status| status.observed_generation);
    seen >= group.metadata.generation
}

fn glance(groups: &[HandoffGroup], everywhere: bool, width: Width, now: Timestamp) -> Table {
    let mut headings =
        vec!["NAME", "READY", "MEMBERS", "IN SYNC", "DRAINING", "SAFE", "DRAINED", "DEGRADED", "LAST HANDOFF", "AGE"];
    if everywhere {
        headings.insert(0, "NAMESPACE");
    }
    if width == Width::Wide {
        headings.extend(["KEEPERS", "KEYS", "BYTES", "SELECTOR"]);
    }
    let mut table = Table::new(&headings);
    for group in groups {
        let status = group.status.clone().unwrap_or_default();
        let says = |kind| condition(group, kind).map_or_else(|| "Unknown".to_owned(), |one| one.status.clone());
        let last = status.last_handoff.as_ref();
        let last = last.map_or_else(
            || "<none>".to_owned(),
            |last| format!("{} ({} ago)", outcome(last.outcome), human::age(Some(&last.at), now)),
        );
        let mut cells = vec![
            group.name_any(),
            says("Ready"),
            status.members.to_string(),
            status.in_sync.to_string(),
            status.draining.to_string(),
            says("HandoffSafe"),
            says("Drained"),
            says("Degraded"),
            last,
            human::age(group.metadata.creation_timestamp.as_ref(), now),
        ];
        if everywhere {
            cells.insert(0, group.namespace().unwrap_or_default());
        }
        if width == Width::Wide {
            cells.extend([
                status.keepers.to_string(),
                status.keys.to_string(),
                human::bytes(status.bytes),
                selector(group),
            ]);
        }
        table.row(cells);
    }
    table
}

fn full(facts: &Facts, width: Width, now: Timestamp) -> String {
    let Facts { group, membership, pods, handoffs } = facts;
    let mut text = head(group, membership.as_ref());
    text.push_str("Conditions:\n");
    let mut conditions = Table::new(&["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"]);
    for one in group.status.iter().flat_map(|status| &status.conditions) {
        let since = human::age(Some(&one.last_transition_time), now);
        conditions.row(vec![one.type_.clone(), one.status.clone(), one.reason.clone(), since, one.message.clone()]);
    }
    text.push_str(&section(&conditions));
    text.push_str("Members:\n");
    let members = membership.iter().flat_map(|one| member::members(one, pods)).collect::<Vec<_>>();
    text.push_str(&section(&member::table(&members, width, now)));
    text.push_str("Last handoffs:\n");
    let shown = &handoffs[..handoffs.len().min(LAST)];
    text.push_str(&section(&handoff::table(shown, false, width, now)));
    if handoffs.len() > LAST {
        text.push_str(&format!("  and {} more: kubectl baton handoffs {}\n", handoffs.len() - LAST, group.name_any()));
    }
    text
}

fn head(group: &HandoffGroup, membership: Option<&Membership>) -> String {
    let mut rows = vec![
        ("Group:", format!("{}/{}", group.namespace().unwrap_or_default(), group.name_any())),
        ("Selector:", selector(group)),
    ];
    match &group.status {
        None => {
            rows.push(("Status:", "none: no operator has looked at this group; see kubectl baton doctor".to_owned()))
        }
        Some(status) => {
            let stale = if is_observed(group) { "" } else { " (the operator has not seen the newest spec yet)" };
            let list = membership.map_or_else(String::new, |one| format!(", member list {}", one.spec.number));
            let keepers = group.spec.keepers.replicas;
            let keepers =
                if keepers > 0 { format!(", {} of {keepers} keepers", status.keepers) } else { String::new() };
            let counts = format!(
                "{} ({} in sync, {} draining{keepers}){list}{stale}",
                status.members, status.in_sync, status.draining
            );
            rows.push(("Members:", counts));
            rows.push((
                "State:",
                format!("{}, {} bytes", human::count(status.keys.max(0) as usize, "key"), human::bytes(status.bytes)),
            ));
            for one in &status.workloads {
                let drained = one.drained_generation.map_or_else(
                    || "no generation is over yet".to_owned(),
                    |last| format!("generation {last} is over"),
                );
                rows.push(("Workload:", format!("{}/{}: {drained}", one.kind, one.name)));
            }
        }
    }
    rows.into_iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect()
}

fn section(table: &Table) -> String {
    if table.is_empty() { "  none\n".to_owned() } else { table.text(2) }
}

fn selector(group: &HandoffGroup) -> String {
    let labels = group.spec.selector.match_labels.iter().map(|(name, value)| format!("{name}={}", value.0));
    let expressions = group.spec.selector.match_expressions.iter().map(|one| {
        let values: Vec<&str> = one.values.iter().map(|value| value.0.as_str()).collect();
        format!("{} {:?} ({})", one.key, one.operator, values.join(","))
    });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}

/// An outcome as a word.
pub(crate) fn outcome(outcome: HandoffOutcome) -> String {
    format!("{outcome:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{HEALTHY, group, handoff, membership, now, pod};

    #[test]
    fn a_group_fits_on_one_line() {
        let table = glance(&[group(&HEALTHY)], true, Width::Narrow, now()).text(0);
        let line = table.lines().nth(1).expect("a row");
        let cells: Vec<&str> = line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let expected = ["shop", "web", "True", "3", "2", "1", "True", "True", "False", "Acknowledged (2m ago)", "24h"];
        assert_eq!(cells, expected);
        let wide = glance(&[group(&[])], false, Width::Wide, now()).text(0);
        assert!(wide.ends_with("0         1204   3.1Mi   app=web\n") && wide.contains("Unknown"), "{wide}");
    }

    #[test]
    fn the_full_view_has_reasons_members_and_the_last_handoffs() {
        let facts = Facts {
            group: group(&[("Ready", "False", "AgentNotInjected")]),
            membership: Some(membership("Deployment/web", &[(1, "web-1", "Leaving"), (2, "web-2", "Active")])),
            pods: vec![pod("web-2", "agent:1")],
            handoffs: (0..7).map(|n| handoff(&format!("web-{n}"), n, "True", "Covered")).collect(),
        };
        let text = full(&facts, Width::Narrow, now());
        for part in [
            "Group:      shop/web\n",
            "Members:    3 (2 in sync, 1 draining), member list 12\n",
            "State:      1204 keys, 3.1Mi bytes\n",
            "Workload:   Deployment/web: generation 7 is over\n",
            "  Ready   False    AgentNotInjected   60m     Says why Ready is False.\n",
            "Leaving",
            "  and 2 more: kubectl baton handoffs web\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(!text.lines().any(|line| line.ends_with(' ')));
    }

    #[test]
    fn keepers_are_counted_against_what_the_spec_asks_for() {
        let mut group = group(&HEALTHY);
        group.spec.keepers.replicas = 2;
        group.status.as_mut().expect("a status").keepers = 1;
        let text = head(&group, None);
        assert!(text.contains("3 (2 in sync, 1 draining, 1 of 2 keepers)"), "{text}");
    }

    #[test]
    fn a_group_that_nobody_looks_at_says_so() {
        let mut group = group(&[]);
        group.status = None;
        let facts = Facts { group, membership: None, pods: Vec::new(), handoffs: Vec::new() };
        let text = full(&facts, Width::Narrow, now());
        assert!(text.contains("no operator has looked at this group") && text.contains("Members:\n  none\n"), "{text}");
    }

    #[test]
    fn a_status_of_an_older_spec_is_stale() {
        let mut group = group(&[]);
        assert!(is_observed(&group));
        group.metadata.generation = Some(3);
        assert!(!is_observed(&group) && head(&group, None).contains("newest spec"));
    }
}
