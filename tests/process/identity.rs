//! Agents with certificates know each other by them, through rollouts and through a change of certificates and CA, and
//! whoever has none, or a wrong one, is refused and counted.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use baton_identity::{Authority, LEAF_LIFE};
use baton_tests::agent::{Agent, Options};
use baton_tests::group::{Group, Pod};
use baton_tests::members;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};

const REFUSED: &str = "baton_agent_refused_links_total";

#[test]
fn members_with_certificates_survive_a_rolling_restart_and_a_change_of_the_ca() -> Result<(), Failure> {
    scene::run(|folder| {
        let (old, new) = (authority()?, authority()?);
        let both = format!("{}{}", old.certificate, new.certificate);
        let mut group = Group::new(folder);
        for _ in 0..3 {
            add(&mut group, folder, &old, &both)?;
        }
        group.start_apps("");
        group.play(Duration::from_secs(1));
        // While they start, links may end: a peer that has not yet read of a new member refuses it.
        for pod in &group.pods {
            wait_for_links(pod, 2)?;
        }
        // The members change to the new CA one after the other, without a restart and without a link that ends.
        let before: Vec<usize> = group.pods.iter().map(ended).collect();
        for pod in &group.pods {
            write(folder, pod.agent.name(), &new, &both)?;
        }
        for pod in &group.pods {
            wait_for_line(pod, "Took a changed certificate")?;
        }
        let after: Vec<usize> = group.pods.iter().map(ended).collect();
        ensure!(after == before, "links ended: {before:?} before the change and {after:?} after it");
        // Those that come now know the new one only.
        for _ in 0..3 {
            add(&mut group, folder, &new, &new.certificate)?;
            let old = group.pods.remove(0);
            group.leave(old)?.ensure_acknowledged()?;
        }
        group.start_apps("");
        group.play(Duration::from_secs(1));
        group.check()
    })
}

#[test]
fn strangers_are_refused_and_counted_and_the_group_goes_on() -> Result<(), Failure> {
    scene::run(|folder| {
        let (ca, other_ca) = (authority()?, authority()?);
        let mut group = Group::new(folder);
        for _ in 0..2 {
            add(&mut group, folder, &ca, &ca.certificate)?;
        }
        group.start_apps("");
        let now = SystemTime::now();
        let peer = group.pods[0].agent.ports().peer;
        TcpStream::connect(("127.0.0.1", peer))?.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        wait_for_refusal(&group.pods[0], "no_tls")?;

        // Each is listed under the name of its certificate, and has a wrong one otherwise.
        let cases = [("untrusted", &other_ca, now), ("expired", &ca, now - 2 * LEAF_LIFE)];
        for (reason, authority, since) in cases {
            let options = announce(&mut group, folder)?;
            write_since(folder, &options.name, authority, &ca.certificate, since)?;
            let stranger = Agent::spawn(&options, folder)?;
            wait_for_refusal(&group.pods[0], reason)?;
            drop(stranger);
            group.members.remove(&options.name)?;
        }
        // One without a certificate does not get anybody to talk to it either.
        let mut options = announce(&mut group, folder)?;
        options.flags.clear();
        let plain = Agent::spawn(&options, folder)?;
        wait::until(PATIENCE, "plain text is refused", || {
            let counted = refused(&group.pods[0], "no_tls")?;
            ensure!(counted > 1, "no_tls is counted {counted} times");
            Ok(())
        })?;
        ensure!(plain.status()?.members.iter().all(|member| !member.link), "it has a link");
        drop(plain);
        group.members.remove(&options.name)?;
        group.play(Duration::from_secs(1));
        group.check()
    })
}

#[test]
fn an_agent_with_the_certificate_of_another_does_not_start() -> Result<(), Failure> {
    scene::run(|folder| {
        let ca = authority()?;
        let mut group = Group::new(folder);
        let options = announce(&mut group, folder)?;
        write(folder, "web-9", &ca, &ca.certificate)?;
        for file in ["crt", "key", "roots"] {
            std::fs::rename(folder.join(format!("web-9.{file}")), folder.join(format!("{}.{file}", options.name)))?;
        }
        let mut agent = Agent::spawn(&options, folder)?;
        let status = agent.process().wait(PATIENCE)?;
        ensure!(status.code() == Some(2), "it ended with {status}");
        let log = agent.log();
        ensure!(log.contains("the certificate is not that of"), "{log}");
        Ok(())
    })
}

fn authority() -> Result<Authority> {
    Ok(Authority::new("test CA", SystemTime::now() - 3 * LEAF_LIFE, 30 * LEAF_LIFE)?)
}

/// Adds a pod with a certificate of this CA that trusts these roots.
fn add(group: &mut Group, folder: &Path, authority: &Authority, roots: &str) -> Result<()> {
    let options = announce(group, folder)?;
    write(folder, &options.name, authority, roots)?;
    let agent = Agent::start(&options, folder)?;
    group.pods.push(Pod { agent, app: None });
    Ok(())
}

fn announce(group: &mut Group, folder: &Path) -> Result<Options> {
    let mut options = group.announce()?;
    for (flag, file) in [("--tls-certificate", "crt"), ("--tls-key", "key"), ("--tls-roots", "roots")] {
        let path = folder.join(format!("{}.{file}", options.name));
        options.flags.extend([flag.to_owned(), path.to_str().context("a path")?.to_owned()]);
    }
    Ok(options)
}

fn write(folder: &Path, name: &str, authority: &Authority, roots: &str) -> Result<()> {
    write_since(folder, name, authority, roots, SystemTime::now())
}

fn write_since(folder: &Path, name: &str, authority: &Authority, roots: &str, since: SystemTime) -> Result<()> {
    let identity = format!("spiffe://local/ns/local/group/web/pod/{name}").parse()?;
    let (issued, key) = authority.issue(&identity, since, LEAF_LIFE)?;
    // A reader that comes between two of them takes them at its next look: key and certificate do not fit before.
    for (file, text) in [("roots", roots), ("key", &key), ("crt", &issued.pem)] {
        members::replace(&folder.join(format!("{name}.{file}")), text.as_bytes())?;
    }
    Ok(())
}

fn wait_for_links(pod: &Pod, wanted: usize) -> Result<()> {
    wait::until(PATIENCE, "the links are up", || {
        let up = pod.agent.status()?.members.iter().filter(|member| member.link).count();
        ensure!(up == wanted, "{up} links of {} are up", pod.agent.name());
        Ok(())
    })
}

/// How many links of a pod have ended.
fn ended(pod: &Pod) -> usize {
    pod.agent.log().matches("Peer link ended").count()
}

fn refused(pod: &Pod, reason: &str) -> Result<u64> {
    let metrics = pod.agent.metrics()?;
    let line = format!("{REFUSED}{{reason=\"{reason}\"}} ");
    let value = metrics.lines().find_map(|text| text.strip_prefix(&line));
    Ok(value.map_or(Ok(0), str::parse)?)
}

fn wait_for_refusal(pod: &Pod, reason: &str) -> Result<()> {
    wait::until(PATIENCE, &format!("{reason} is counted"), || {
        ensure!(refused(pod, reason)? > 0, "it is not");
        Ok(())
    })
}

fn wait_for_line(pod: &Pod, line: &str) -> Result<()> {
    wait::until(PATIENCE, line, || {
        ensure!(pod.agent.log().contains(line), "{} does not say so", pod.agent.name());
        Ok(())
    })
}
