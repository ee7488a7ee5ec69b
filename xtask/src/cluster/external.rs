//! A cluster that is already there, by its kubeconfig context.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Access;
use super::binary::{self, Helm};
use crate::{cache, command};

/// Finds the cluster, and writes a kubeconfig that holds nothing else.
pub(super) fn access(context: &str) -> Result<Access> {
    let kubectl = command::find("kubectl").context("`--context` needs kubectl on PATH")?;
    let config = command::output(
        Command::new(&kubectl)
            .args(["config", "view", "--minify", "--flatten", "--raw", "-o=json"])
            .arg(format!("--context={context}")),
    )
    .with_context(|| format!("no context {context}"))?;
    let kubeconfig = write(context, &config)?;
    command::output(Command::new(&kubectl).arg("--kubeconfig").arg(&kubeconfig).args([
        "--request-timeout=10s",
        "get",
        "--raw",
        "/readyz",
    ]))
    .with_context(|| format!("the cluster of context {context} does not answer"))?;
    let helm = match command::find("helm") {
        Some(helm) => helm,
        None => binary::helm(Helm::V4)?,
    };
    Ok(Access { kubeconfig, kubectl, helm })
}

/// Says how images get there: each kind of cluster has its own way.
pub(super) fn refuse_load(context: &str, images: &[PathBuf]) -> Result<()> {
    let names: Vec<String> = images.iter().map(|image| image.display().to_string()).collect();
    let names = names.join(" ");
    bail!(
        "context {context} was not made here: load the images with its own command, for example\n\
         kind:      kind load image-archive {names}\n\
         k3d:       k3d image import {names}\n\
         minikube:  minikube image load {names}"
    )
}

fn write(context: &str, config: &str) -> Result<PathBuf> {
    let folder = cache::folder()?;
    std::fs::create_dir_all(&folder)?;
    let safe = context.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let path = folder.join(format!("context-{safe}.json"));
    // A temporary file is readable by its owner only, and so is what it becomes.
    let mut file = tempfile::NamedTempFile::new_in(&folder)?;
    file.write_all(config.as_bytes())?;
    file.persist(&path)?;
    Ok(path)
}
