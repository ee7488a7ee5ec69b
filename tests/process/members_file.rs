//! A members file that is wrong or half written changes nothing: the last good list stays, and nobody stops.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::group::Group;
use baton_tests::members::replace;
use baton_tests::{scene, wait};

/// More than an agent takes to see that its file has changed.
const SEEN: Duration = Duration::from_millis(1_500);

#[test]
fn a_wrong_members_file_leaves_the_last_good_list_in_force() -> Result<()> {
    scene::run(|folder| {
        let mut group = Group::new(folder).with_pods(2)?;
        group.start_apps("");
        let good = std::fs::read(group.members.file())?;
        let number = group.members.number();
        let text = String::from_utf8_lossy(&good).into_owned();
        let ahead = text.replace(&format!("\"number\": {number}"), &format!("\"number\": {}", number + 1));
        let back = text.replace(&format!("\"number\": {number}"), "\"number\": 1").replace("web-2", "web-9");
        let wrong: [(&str, Vec<u8>); 9] = [
            ("half of it", good[..good.len() / 2].to_vec()),
            ("nothing", Vec::new()),
            ("no JSON", b"members: [web-1]".to_vec()),
            ("no text", vec![0xff; 4096]),
            ("another shape", b"{\"members\": 3}".to_vec()),
            ("an older number", back.into_bytes()),
            ("an address without a port", ahead.replace("127.0.0.1:", "127.0.0.1-").into_bytes()),
            ("one name twice", ahead.replace("web-2", "web-1").into_bytes()),
            ("nobody", format!("{{\"number\":{},\"first\":\"web-1\",\"members\":[]}}", number + 1).into_bytes()),
        ];
        for (what, text) in wrong {
            replace(group.members.file(), &text)?;
            let unchanged = || -> Result<()> {
                for pod in &mut group.pods {
                    pod.agent.process().ensure_running()?;
                    let status = pod.agent.status()?;
                    ensure!(status.membership == number, "{} took list {}", pod.agent.name(), status.membership);
                    ensure!(status.members.len() == 1 && status.members[0].link, "{status:?}");
                }
                Ok(())
            };
            wait::holds(SEEN, &format!("the last good list stays, while the file holds {what}"), unchanged)?;
        }
        // Written in place and not renamed: a reader may see any part of it, and ends with all of it.
        group.members.publish()?;
        let text = std::fs::read(group.members.file())?;
        for end in [1, text.len() / 3, text.len() - 1, text.len()] {
            std::fs::write(group.members.file(), &text[..end])?;
            std::thread::sleep(Duration::from_millis(150));
        }
        let number = group.members.number();
        wait::until(Duration::from_secs(5), "the good list is in force", || {
            for pod in &group.pods {
                let status = pod.agent.status()?;
                ensure!(status.membership == number, "{} has list {}", pod.agent.name(), status.membership);
            }
            Ok(())
        })?;
        group.replace_oldest("")?;
        group.check()
    })
}
