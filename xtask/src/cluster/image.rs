//! Images on the nodes: imported into each containerd, pulled from nowhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::binary;
use super::layout::{Layout, Node};
use crate::archive::Image;
use crate::{cache, command, step};

/// The image of a pod's first container.
pub(super) const PAUSE: &str = "baton.local/pause:1";

/// Imports docker-archive tars on every node.
pub(super) fn load(layout: &Layout, images: &[PathBuf]) -> Result<()> {
    layout.access()?;
    if let Some(missing) = images.iter().find(|image| !image.is_file()) {
        bail!("no image {}", missing.display());
    }
    let nodes = layout.nodes();
    for image in images {
        step::run(&format!("Load {}", image.display()), |_| import(&nodes, image))?;
    }
    Ok(())
}

/// Imports one tar on all nodes at once.
pub(super) fn import(nodes: &[Node], image: &Path) -> Result<()> {
    std::thread::scope(|scope| {
        let imports: Vec<_> = nodes.iter().map(|&node| scope.spawn(move || import_on(node, image))).collect();
        imports.into_iter().try_for_each(|import| match import.join() {
            Ok(outcome) => outcome,
            Err(_) => bail!("an import panicked"),
        })
    })
}

fn import_on(node: Node, image: &Path) -> Result<()> {
    command::output(ctr(node)?.args(["images", "import"]).arg(image))
        .with_context(|| format!("cannot import {} on {node}", image.display()))?;
    Ok(())
}

/// containerd's client, for the images and containers of Kubernetes.
pub(super) fn ctr(node: Node) -> Result<Command> {
    let mut ctr = Command::new(command::find_system("ctr")?);
    ctr.args(["--address", &node.socket(), "--namespace", "k8s.io"]);
    Ok(ctr)
}

/// The tar of the pause image.
pub(super) fn pause() -> Result<PathBuf> {
    let program = binary::pause()?;
    let bytes = std::fs::read(&program)?;
    cache::file("pause.tar", &[&bytes, PAUSE.as_bytes()], |out| {
        Image { tag: PAUSE, program: &program, entrypoint: "/pause" }.write(out)
    })
}
