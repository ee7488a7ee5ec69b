//! `handoffs`: how pods left, the newest first.

use baton_crds::handoff::Handoff;
use baton_crds::label;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use crate::args::HandoffsArgs;
use crate::cluster::{Cluster, list};
use crate::failure::{Failure, Outcome};
use crate::human;
use crate::output::{self, List, Width};
use crate::table::Table;

/// Runs the command.
pub(crate) async fn run(cluster: &Cluster, args: &HandoffsArgs) -> Result<Outcome, Failure> {
    if let (Some(name), false) = (&args.group, args.all_namespaces) {
        cluster.group(name).await?;
    }
    let of_group = args.group.as_ref().map_or_else(String::new, |name| format!("{}={name}", label::GROUP));
    let place = if args.all_namespaces { "anywhere".to_owned() } else { format!("in namespace {}", cluster.namespace) };
    let records = list::<Handoff>(&cluster.api_of(args.all_namespaces), &of_group, &place).await?;
    let mut records = newest_first(records);
    records.retain(|record| !args.failed || !is_acknowledged(record));
    let Some(width) = args.output.table() else {
        return args.output.document(&List::of(records)).map(|()| Outcome::Well);
    };
    if records.is_empty() {
        let which = if args.failed { "No handoff that failed" } else { "No handoff" };
        output::note(&format!(
            "{which} is on record {place}. Records are kept for handoff.keepRecords, 24h by default."
        ));
    } else {
        output::text(&table(&records, args.all_namespaces, width, Timestamp::now()).text(0))?;
    }
    Ok(Outcome::Well)
}

/// In the order in which the operator learned of them, the newest first.
pub(crate) fn newest_first(mut records: Vec<Handoff>) -> Vec<Handoff> {
    records.sort_by_key(|record| std::cmp::Reverse((at(record), record.name_any())));
    records
}

/// The condition that says how it went.
pub(crate) fn acknowledged(record: &Handoff) -> Option<&Condition> {
    record.status.as_ref()?.conditions.iter().find(|one| one.type_ == "Acknowledged")
}

/// Whether it is known that nothing was left behind.
pub(crate) fn is_acknowledged(record: &Handoff) -> bool {
    acknowledged(record).is_some_and(|condition| condition.status == "True")
}

/// The table.
pub(crate) fn table(records: &[Handoff], everywhere: bool, width: Width, now: Timestamp) -> Table {
    let mut headings = vec!["POD", "GROUP", "ACKNOWLEDGED", "REASON", "KEYS", "BYTES", "UNACKNOWLEDGED", "HOLD", "AGE"];
    if everywhere {
        headings.insert(0, "NAMESPACE");
    }
    if width == Width::Wide {
        headings.extend(["TAIL", "LEFT", "NODE", "SURVIVORS"]);
    }
    let mut table = Table::new(&headings);
    for record in records {
        // A record is there a moment before its status.
        let status = record.status.as_ref();
        let number = |of: fn(&baton_crds::handoff::HandoffStatus) -> i64| status.map(of);
        let condition = acknowledged(record);
        let text = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        let mut cells = vec![
            record.spec.pod_name.clone(),
            record.spec.group.clone(),
            condition.map(|one| one.status.clone()).unwrap_or_default(),
            condition.map(|one| one.reason.clone()).unwrap_or_default(),
            text(number(|status| status.keys)),
            number(|status| status.bytes).map(human::bytes).unwrap_or_default(),
            text(number(|status| status.keys_unacknowledged)),
            number(|status| status.hold_millis).map(human::millis).unwrap_or_default(),
            human::age(status.map(|status| &status.at), now),
        ];
        if everywhere {
            cells.insert(0, record.namespace().unwrap_or_default());
        }
        if width == Width::Wide {
            cells.extend([
                number(|status| status.tail_millis).map(human::millis).unwrap_or_default(),
                format!("{:?}", record.spec.reason),
                record.spec.node.clone(),
                status.map(|status| status.survivors.join(",")).unwrap_or_default(),
            ]);
        }
        table.row(cells);
    }
    table
}

fn at(record: &Handoff) -> Timestamp {
    let made = record.metadata.creation_timestamp.as_ref();
    record.status.as_ref().map(|status| &status.at).or(made).map_or(Timestamp::MAX, |time| time.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{handoff, now};

    #[test]
    fn the_newest_comes_first_and_each_says_how_it_went() {
        let records = [handoff("web-1", 10, "True", "Covered"), handoff("web-2", 2, "False", "Released")];
        let records = newest_first(records.into());
        let text = table(&records, false, Width::Narrow, now()).text(0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "web-2   web     False          Released   40     4.0Ki   7                12ms   2m");
        assert_eq!(lines[2], "web-1   web     True           Covered    40     4.0Ki   0                12ms   10m");
        let wide = table(&records, true, Width::Wide, now()).text(0);
        assert!(wide.contains("3ms    PodDeleted   <none>   web-8,web-9\n"), "{wide}");
    }

    #[test]
    fn a_record_without_a_status_is_the_newest_and_no_success() {
        let mut fresh = handoff("web-3", 0, "True", "Covered");
        fresh.status = None;
        let records = newest_first(vec![handoff("web-1", 1, "True", "Covered"), fresh]);
        assert_eq!(records[0].spec.pod_name, "web-3");
        assert!(!is_acknowledged(&records[0]) && is_acknowledged(&records[1]));
        assert_eq!(table(&records, false, Width::Wide, now()).text(0).lines().count(), 3);
    }
}
