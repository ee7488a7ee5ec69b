//! `members`: who shares the state of a group, and how far each of them is.

use baton_crds::Membership;
use baton_crds::label;
use baton_crds::membership::MemberPhase;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use crate::args::MembersArgs;
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::human;
use crate::output::{self, Width};
use crate::table::Table;

/// One member, and what is known of its pod.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    pub(crate) group: String,
    pub(crate) pod: String,
    pub(crate) pod_uid: String,
    pub(crate) phase: MemberPhase,
    /// Whether it has no app.
    pub(crate) keeper: bool,
    /// Whether the pod is Ready; not known of one that is gone.
    pub(crate) ready: Option<bool>,
    pub(crate) replica: String,
    pub(crate) controller: String,
    pub(crate) revision: u64,
    pub(crate) node: String,
    pub(crate) zone: String,
    pub(crate) address: String,
    pub(crate) agent_image: Option<String>,
    pub(crate) agent_restarts: Option<i32>,
    #[serde(skip)]
    since: Option<Time>,
}

/// Runs the command.
pub(crate) async fn run(cluster: &Cluster, args: &MembersArgs) -> Result<Outcome, Failure> {
    let lists = match &args.group {
        Some(name) => {
            cluster.group(name).await?;
            let list = cluster.api::<Membership>().get_opt(name).await;
            list.map_err(|error| Failure::of(&error, &format!("read Membership {name}")))?.into_iter().collect()
        }
        None => cluster.list::<Membership>("").await?,
    };
    let pods = cluster.list::<Pod>(label::GROUP).await?;
    let members: Vec<Member> = lists.iter().flat_map(|list| self::members(list, &pods)).collect();
    let Some(width) = args.output.table() else {
        return args.output.document(&members).map(|()| Outcome::Well);
    };
    if members.is_empty() {
        output::note(&format!("No group in namespace {} has members.", cluster.namespace));
    } else {
        output::text(&table(&members, width, Timestamp::now()).text(0))?;
    }
    Ok(Outcome::Well)
}

/// The members of a list in its order, each with its pod, if that is still there.
pub(crate) fn members(list: &Membership, pods: &[Pod]) -> Vec<Member> {
    let member = |row: &baton_crds::membership::MemberRow| {
        let pod = pods.iter().find(|pod| pod.uid().as_deref() == Some(row.pod_uid.as_str()));
        Member {
            group: list.name_any(),
            pod: row.pod_name.clone(),
            pod_uid: row.pod_uid.clone(),
            phase: row.phase,
            keeper: row.keeper,
            ready: pod.map(is_ready),
            replica: row.replica.to_string(),
            controller: row.controller.clone(),
            revision: row.revision,
            node: row.node.clone(),
            zone: row.zone.clone(),
            address: row.address.clone(),
            agent_image: pod.and_then(agent).and_then(|agent| agent.image.clone()),
            agent_restarts: pod.and_then(agent_status).map(|status| status.restart_count),
            since: pod.and_then(|pod| pod.metadata.creation_timestamp.clone()),
        }
    };
    list.spec.members.iter().map(member).collect()
}

/// The table.
pub(crate) fn table(members: &[Member], width: Width, now: Timestamp) -> Table {
    let mut headings = vec!["POD", "GROUP", "ROLE", "PHASE", "READY", "REVISION", "NODE", "AGE"];
    if width == Width::Wide {
        headings.extend(["REPLICA", "CONTROLLER", "ZONE", "ADDRESS", "RESTARTS", "AGENT"]);
    }
    let mut table = Table::new(&headings);
    for member in members {
        let ready = match member.ready {
            Some(true) => "True",
            Some(false) => "False",
            None => "<gone>",
        };
        let mut cells = vec![
            member.pod.clone(),
            member.group.clone(),
            if member.keeper { "Keeper" } else { "App" }.to_owned(),
            format!("{:?}", member.phase),
            ready.to_owned(),
            member.revision.to_string(),
            member.node.clone(),
            human::age(member.since.as_ref(), now),
        ];
        if width == Width::Wide {
            cells.extend([
                member.replica.clone(),
                member.controller.clone(),
                member.zone.clone(),
                member.address.clone(),
                member.agent_restarts.map(|count| count.to_string()).unwrap_or_default(),
                member.agent_image.clone().unwrap_or_default(),
            ]);
        }
        table.row(cells);
    }
    table
}

/// Whether a pod is Ready.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

/// The agent's container in a pod, if it has one.
pub(crate) fn agent(pod: &Pod) -> Option<&Container> {
    let spec = pod.spec.as_ref()?;
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let mut agents = containers.filter(|container| container.name == label::AGENT_CONTAINER);
    agents.next()
}

fn agent_status(pod: &Pod) -> Option<&ContainerStatus> {
    let status = pod.status.as_ref()?;
    let all = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    all.into_iter().find(|one| one.name == label::AGENT_CONTAINER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{membership, now, pod};

    #[test]
    fn members_are_shown_with_what_is_known_of_their_pods() {
        let list = membership("Deployment/web", &[(1, "web-1", "Gone"), (2, "web-2", "Active")]);
        let members = members(&list, &[pod("web-2", "agent:1")]);
        let text = table(&members, Width::Narrow, now()).text(0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "web-1   web     App    Gone     <gone>   4          node-1   <unknown>");
        assert_eq!(lines[2], "web-2   web     App    Active   True     4          node-1   30m");
        let wide = table(&members, Width::Wide, now()).text(0);
        assert!(
            wide.contains("0000000000000002   Deployment/web   <none>   10.0.0.1:7072   0          agent:1\n"),
            "{wide}"
        );
    }

    #[test]
    fn keepers_are_told_from_pods_with_an_app() {
        let mut list = membership("StatefulSet/web-keeper", &[(1, "web-keeper-0", "Active"), (2, "web-1", "Active")]);
        list.spec.members[0].keeper = true;
        let text = table(&members(&list, &[]), Width::Narrow, now()).text(0);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("web-keeper-0   web     Keeper   Active"), "{text}");
        assert!(lines[2].starts_with("web-1          web     App      Active"), "{text}");
    }

    #[test]
    fn an_earlier_pod_of_the_same_name_is_another() {
        let list = membership("StatefulSet/web", &[(1, "web-0", "Gone")]);
        let mut again = pod("web-0", "agent:1");
        again.metadata.uid = Some("another".into());
        assert_eq!(members(&list, &[again])[0].ready, None);
    }
}
