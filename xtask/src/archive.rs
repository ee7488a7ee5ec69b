//! Container images as docker-archive tars, written by hand.
//!
//! An image is one program, `/etc/passwd` and `/tmp`. Every time stamp is zero
//! and the order is fixed: equal programs give equal bytes.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::cache::hex;

/// The user of every image: `nonroot` in the images that others build.
const USER: u64 = 65532;

/// An image with one program.
pub(crate) struct Image<'a> {
    /// The name and tag, for example `baton.local/agent:dev`.
    pub(crate) tag: &'a str,
    /// The static program.
    pub(crate) program: &'a Path,
    /// Its absolute path in the image, and the entrypoint.
    pub(crate) entrypoint: &'a str,
}

// === impl Image ===

impl Image<'_> {
    /// Writes the tar; a reader never sees half of it.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let folder = file.parent().context("an image needs a folder")?;
        std::fs::create_dir_all(folder)?;
        let mode = std::fs::Permissions::from_mode(0o644);
        let mut out = tempfile::Builder::new().permissions(mode).tempfile_in(folder)?;
        self.write_to(out.as_file_mut()).with_context(|| format!("cannot write image {}", self.tag))?;
        out.persist(file)?;
        Ok(())
    }

    fn write_to(&self, out: &mut File) -> Result<()> {
        let layer = self.layer()?;
        let config = config(self.entrypoint, &digest(&layer))?;
        let config_name = format!("{}.json", digest(&config));
        let manifest = serde_json::to_vec(&json!([{
            "Config": config_name, "RepoTags": [self.tag], "Layers": ["layer.tar"],
        }]))?;
        let mut tar = Builder::new(out);
        add(&mut tar, "layer.tar", 0o644, &layer)?;
        add(&mut tar, &config_name, 0o644, &config)?;
        add(&mut tar, "manifest.json", 0o644, &manifest)?;
        tar.finish()?;
        Ok(())
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let program = std::fs::read(self.program).with_context(|| format!("cannot read {}", self.program.display()))?;
        let passwd = format!("root:x:0:0:root:/:/nologin\nnonroot:x:{USER}:{USER}:nonroot:/tmp:/nologin\n");
        let group = format!("root:x:0:\nnonroot:x:{USER}:\n");
        let mut tar = Builder::new(Vec::new());
        add_folder(&mut tar, "etc/", 0o755)?;
        add(&mut tar, "etc/group", 0o644, group.as_bytes())?;
        add(&mut tar, "etc/passwd", 0o644, passwd.as_bytes())?;
        add_folder(&mut tar, "tmp/", 0o1777)?;
        add(&mut tar, self.entrypoint.trim_start_matches('/'), 0o755, &program)?;
        Ok(tar.into_inner()?)
    }
}

fn config(entrypoint: &str, layer: &str) -> Result<Vec<u8>> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Ok(serde_json::to_vec(&json!({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Entrypoint": [entrypoint],
            "Env": ["PATH=/"],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask images"}],
    }))?)
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn add_folder<W: Write>(tar: &mut Builder<W>, name: &str, mode: u32) -> Result<()> {
    let mut header = header(mode, 0);
    header.set_entry_type(EntryType::Directory);
    Ok(tar.append_data(&mut header, name, std::io::empty())?)
}

fn add<W: Write>(tar: &mut Builder<W>, name: &str, mode: u32, data: &[u8]) -> Result<()> {
    let mut header = header(mode, data.len() as u64);
    header.set_entry_type(EntryType::Regular);
    Ok(tar.append_data(&mut header, name, data)?)
}

fn header(mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn equal_programs_give_equal_images() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("program");
        std::fs::write(&program, b"a program").expect("a file");
        let image = Image { tag: "baton.local/test:dev", program: &program, entrypoint: "/test" };
        let files = ["one.tar", "two.tar"].map(|name| folder.path().join(name));
        for file in &files {
            image.write(file).expect("an image");
        }
        let [one, two] = files.map(|file| std::fs::read(file).expect("an image"));
        assert_eq!(one, two);
    }
}
