//! `cargo xtask images`: the three images, from static programs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::archive::Image;
use crate::{command, elf, step, workspace};

/// What is built: package and program, image name.
const PROGRAMS: [(&str, &str); 3] = [("baton-agent", "agent"), ("baton-operator", "operator"), ("arena", "arena")];

/// Arguments of `cargo xtask images`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The cargo profile: `dev` builds faster, `release` is what users get
    #[arg(long, default_value = "release")]
    profile: String,
}

/// Builds and prints `image, size, path`.
pub(crate) fn run(args: &Args) -> Result<()> {
    for file in build(&args.profile)? {
        let size = std::fs::metadata(&file)?.len();
        println!("{:>7.1} MB  {}", size as f64 / 1e6, file.display());
    }
    Ok(())
}

/// Builds the images and returns their docker-archive tars.
pub(crate) fn build(profile: &str) -> Result<Vec<PathBuf>> {
    if std::env::consts::OS != "linux" {
        bail!("images hold Linux programs: build them on Linux");
    }
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    // A folder of its own: other flags would throw away the everyday build.
    let target = workspace::target().join("static");
    step::run(&format!("Build static programs ({profile})"), |step| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build
            .current_dir(workspace::root())
            .args(["build", "--profile", profile, "--target", &triple])
            .arg("--target-dir")
            .arg(&target)
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        for (package, _) in PROGRAMS {
            build.args(["--package", package]);
        }
        command::follow(&mut build, |line| step.advance(line.trim()))
    })?;
    let folder = target.join(&triple).join(match profile {
        "dev" => "debug",
        other => other,
    });
    let images = workspace::target().join("images");
    step::run("Write images", |_| {
        let mut files = Vec::new();
        for (program, name) in PROGRAMS {
            let file = folder.join(program);
            elf::ensure_static(&file)?;
            let image = images.join(format!("{name}.tar"));
            Image { tag: &format!("baton.local/{name}:dev"), program: &file, entrypoint: &format!("/{program}") }
                .write(&image)?;
            files.push(image);
        }
        Ok(files)
    })
}
