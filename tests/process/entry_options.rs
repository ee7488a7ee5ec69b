//! What one agent is asked of an entry holds at the others: deadlines, defaults, what is taken, and who owns it.

use anyhow::{Context, Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::Group;
use baton_tests::http::{Http, Reply};
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};

#[test]
fn deadlines_defaults_and_owners_hold_at_all_agents() -> Result<(), Failure> {
    scene::run(|folder| {
        let group = Group::new(folder).with_pods(2)?;
        let (here, there) = (&group.pods[0].agent, &group.pods[1].agent);
        a_deadline_ends_it_everywhere(here, there)?;
        a_default_of_another_agent_loses(here, there)?;
        one_of_two_takes_it(here, there)?;
        the_later_claim_makes_the_earlier_stale(here, there)
    })
}

fn a_deadline_ends_it_everywhere(here: &Agent, there: &Agent) -> Result<()> {
    let put = send("PUT", &format!("{}?ttl=1h", here.entry("short")), &[], b"v")?;
    ensure!(put.status == 201, "{put}");
    let seen = send("GET", &there.entry("short"), &[], b"")?;
    ensure!(seen.status == 200 && seen.header("baton-expires-at").is_some(), "{seen}");
    let moved = send("POST", &format!("{}:touch?ttl=100ms", there.entry("short")), &[], b"")?;
    ensure!(moved.status == 204, "{moved}");
    for agent in [here, there] {
        wait::until(PATIENCE, "the value has expired", || {
            let gone = send("GET", &agent.entry("short"), &[], b"")?;
            ensure!(gone.status == 404, "{gone}");
            Ok(())
        })?;
    }
    Ok(())
}

fn a_default_of_another_agent_loses(here: &Agent, there: &Agent) -> Result<()> {
    let put = send("PUT", &here.entry("setting"), &[], b"real")?;
    ensure!(put.status == 201, "{put}");
    let init = send("PUT", &format!("{}?init=true", there.entry("setting")), &[], b"default")?;
    ensure!(init.status == 200 && init.header("etag") == put.header("etag"), "{init}");
    let kept = send("GET", &there.entry("setting"), &[], b"")?;
    ensure!(kept.body == b"real", "{kept}");
    Ok(())
}

fn one_of_two_takes_it(here: &Agent, there: &Agent) -> Result<()> {
    let put = send("PUT", &here.entry("stash"), &[("content-type", "text/plain")], b"all that I had")?;
    ensure!(put.status == 201, "{put}");
    let taken = send("POST", &format!("{}:take", there.entry("stash")), &[], b"")?;
    ensure!(taken.status == 200 && taken.body == b"all that I had", "{taken}");
    let again = send("POST", &format!("{}:take", here.entry("stash")), &[], b"")?;
    ensure!(again.status == 404, "{again}");
    Ok(())
}

fn the_later_claim_makes_the_earlier_stale(here: &Agent, there: &Agent) -> Result<()> {
    let put = send("PUT", &format!("{}?claim=true", here.entry("session")), &[], b"1")?;
    let old = put.header("baton-token").context("no token")?.to_owned();
    let claim = send("POST", &format!("{}:claim", there.entry("session")), &[], b"")?;
    let new = claim.header("baton-token").context("no token")?.to_owned();
    ensure!(claim.status == 200 && new > old, "{claim}");
    let stale = send("PUT", &here.entry("session"), &[("baton-token", &old)], b"2")?;
    ensure!(stale.status == 409 && stale.json()?["code"] == "stale_token", "{stale}");
    let good = send("PUT", &there.entry("session"), &[("baton-token", &new)], b"2")?;
    ensure!(good.status == 200, "{good}");
    let seen = send("GET", &here.entry("session"), &[], b"")?;
    ensure!(seen.body == b"2" && seen.header("baton-token") == Some(&*new), "{seen}");
    Ok(())
}

fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
    Http::new(PATIENCE).send(method, url, headers, body)
}
