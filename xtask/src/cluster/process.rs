//! Parts as processes: found by their command lines, so nothing can go stale.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::layout::{Layout, RUN};
use super::part::{PROGRAMS, Part};
use crate::command;

/// How long a killed process may take to disappear.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a kubelet is started again.
const KUBELET_LIVES: u32 = 50;

/// A part that was just started.
pub(super) struct Started {
    part: Part,
    child: Child,
    /// How often it may still end.
    lives: u32,
}

/// Starts a part, detached from this process and its terminal.
pub(super) fn start(layout: &Layout, part: Part) -> Result<Started> {
    let log = layout.log(part);
    let out = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    // Both wrappers become the program: the process id stays the child's.
    let mut start = Command::new("setsid");
    if let Some(node) = part.node() {
        // Not `ip netns exec`, which hides the control groups.
        start.args(["nsenter", &format!("--net={}", node.netns())]);
    }
    let child = start
        .args(part.argv(layout))
        .env_clear()
        .env("PATH", command::system_path())
        .env("HOME", "/root")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| format!("cannot start {part}"))?;
    // Kubelets that start at once are in each other's way at one socket of the machine, and one that starts right after its
    // container runtime ends, as that answers others before it answers kubelets.
    let lives = if matches!(part, Part::Kubelet(_)) { KUBELET_LIVES } else { 0 };
    Ok(Started { part, child, lives })
}

/// The process of a part, if it runs.
pub(super) fn pid(layout: &Layout, part: Part) -> Option<i32> {
    let argv = part.argv(layout);
    processes().find(|(_, found)| *found == argv).map(|(pid, _)| pid)
}

/// Kills a part and waits until it is gone.
pub(super) fn stop(layout: &Layout, part: Part) -> Result<()> {
    match pid(layout, part) {
        Some(pid) => kill(&[pid]),
        None => Ok(()),
    }
}

/// Everything that runs for the cluster outside its pods: the parts, whatever
/// their arguments, and the shims that outlive containerd.
pub(super) fn leftovers(layout: &Layout) -> Vec<i32> {
    let programs = PROGRAMS.map(|name| layout.parts().join(name).display().to_string());
    let sockets = format!("{RUN}/");
    let ours = |argv: &[String]| {
        let Some(program) = argv.first() else {
            return false;
        };
        let is_shim = program.contains("containerd-shim")
            && argv.windows(2).any(|pair| pair[0] == "-address" && pair[1].starts_with(&sockets));
        is_shim || programs.contains(program)
    };
    let found = processes().filter(|(_, argv)| ours(argv));
    found.map(|(pid, _)| pid).collect()
}

/// Kills processes and waits until they are gone.
pub(super) fn kill(pids: &[i32]) -> Result<()> {
    for &pid in pids {
        if let Some(pid) = Pid::from_raw(pid) {
            // One that ended meanwhile is what is wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let start = Instant::now();
    while let Some(pid) = pids.iter().find(|&&pid| alive(pid)) {
        if start.elapsed() > PATIENCE {
            bail!("process {pid} does not end: {}", argv(*pid).join(" "));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

// === impl Started ===

impl Started {
    /// Fails with the end of its log if the part has ended. A kubelet is started again some times first, as a service
    /// manager would do.
    pub(super) fn ensure_alive(&mut self, layout: &Layout) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(_) if self.lives > 0 => {
                *self = Self { lives: self.lives - 1, ..start(layout, self.part)? };
                Ok(())
            }
            Some(status) => bail!("{} ended ({status}); {}", self.part, log_tail(layout, self.part)),
        }
    }
}

/// The last lines of a part's log, and where the rest is.
pub(super) fn log_tail(layout: &Layout, part: Part) -> String {
    let log = layout.log(part);
    let text = std::fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    format!("the end of {}:\n{}", log.display(), command::tail(text.lines()))
}

/// Running processes with their command lines; those that have ended but were
/// not waited for have none and are left out.
fn processes() -> impl Iterator<Item = (i32, Vec<String>)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(|pid| (pid, argv(pid)))
        .filter(|(_, argv)| !argv.is_empty())
}

fn argv(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.strip_suffix(&[0]).unwrap_or(&bytes).split(|&byte| byte == 0);
    let words = words.map(|word| String::from_utf8_lossy(word).into_owned());
    if bytes.is_empty() { Vec::new() } else { words.collect() }
}

/// A zombie counts as gone: it holds nothing, and its parent may be slow.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
