//! A members file that is wrong or half written changes nothing: the last good list stays, and nobody stops.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::{Group, Pod};
use baton_tests::members::replace;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::{self, PATIENCE};

/// More than an agent takes to see that its file has changed.
const SEEN: Duration = Duration::from_millis(700);

#[test]
fn a_wrong_members_file_leaves_the_last_good_list_in_force() -> Result<(), Failure> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(2)?;
        group.start_apps("");
        let good = std::fs::read(group.members.file())?;
        let number = group.members.number();
        let text = String::from_utf8_lossy(&good).into_owned();
        let ahead = text.replace(&format!("\"number\": {number}"), &format!("\"number\": {}", number + 1));
        let back = text.replace(&format!("\"number\": {number}"), "\"number\": 1").replace("web-2", "web-9");
        let wrong: [(&str, Vec<u8>); 8] = [
            ("half of it", good[..good.len() / 2].to_vec()),
            ("nothing", Vec::new()),
            ("no JSON", b"members: [web-1]".to_vec()),
            ("no text", vec![0xff; 4096]),
            ("another shape", b"{\"members\": 3}".to_vec()),
            ("an older number", back.into_bytes()),
            ("an address without a port", ahead.replace("127.0.0.1:", "127.0.0.1-").into_bytes()),
            ("one name twice", ahead.replace("web-2", "web-1").into_bytes()),
        ];
        for (what, text) in wrong {
            replace(group.members.file(), &text)?;
            let unchanged = || {
                for (pod, other) in group.pods.iter_mut().zip(["web-2", "web-1"]) {
                    pod.agent.process().ensure_running()?;
                    let members = pod.agent.status()?.members;
                    let same = members.len() == 1 && members[0].pod == other && members[0].link;
                    ensure!(same, "{} has {members:?}", pod.agent.name());
                }
                Ok(())
            };
            wait::holds(SEEN, &format!("the last good list stays, while the file holds {what}"), unchanged)?;
        }
        // Written in place and not renamed: a reader may see any part of it, and ends with all of it.
        let options = group.announce()?;
        let text = std::fs::read(group.members.file())?;
        for end in [1, text.len() / 3, text.len() - 1, text.len()] {
            std::fs::write(group.members.file(), &text[..end])?;
            std::thread::sleep(Duration::from_millis(300));
        }
        group.pods.push(Pod { agent: Agent::start(&options, folder)?, app: None });
        for pod in &group.pods {
            wait::until(PATIENCE, "the good list is in force", || {
                let status = pod.agent.status()?;
                ensure!(status.members.len() == 2, "{} has {status:?}", pod.agent.name());
                Ok(())
            })?;
        }
        group.replace_oldest("")?;
        group.check()
    })
}
