//! The programs that are built from Go modules.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::{cache, command, elf, step, workspace};

/// A version of Kubernetes, with the Go module that it is built from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kubernetes {
    /// The oldest that the end-to-end suite is run on
    #[value(name = "1.34")]
    V1_34,
    /// The newest, and the default
    #[default]
    #[value(name = "1.36")]
    V1_36,
}

/// A major version of Helm, with the module it is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Helm {
    /// Helm 3
    #[value(name = "3")]
    V3,
    /// Helm 4
    #[value(name = "4")]
    V4,
}

// === impl Kubernetes ===

impl Kubernetes {
    /// The file in `tests/cluster` that names the modules; their sums lie beside it.
    fn module(self) -> &'static str {
        match self {
            Self::V1_34 => "1.34.mod",
            Self::V1_36 => "go.mod",
        }
    }

    /// The whole version that the file asks for, such as 1.36.3.
    pub(super) fn version(self) -> Result<String> {
        let file = module().join(self.module());
        std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?
            .lines()
            .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))
            .map(str::to_owned)
            .with_context(|| format!("{} names no version of k8s.io/kubernetes", file.display()))
    }
}

impl fmt::Display for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_34 => "1.34",
            Self::V1_36 => "1.36",
        })
    }
}

// === impl Helm ===

impl Helm {
    fn module(self) -> &'static str {
        match self {
            Self::V3 => "helm.sh/helm/v3/cmd/helm@v3.22.0",
            Self::V4 => "helm.sh/helm/v4/cmd/helm@v4.3.1",
        }
    }
}

impl fmt::Display for Helm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3 => "3",
            Self::V4 => "4",
        })
    }
}

/// Nothing is made for debuggers, which would be stripped in the end.
const NO_DWARF: &str = "-gcflags=all=-dwarf=false";

/// The Go toolchain and the module of the test cluster.
struct Go {
    program: PathBuf,
    version: String,
    module: PathBuf,
}

/// The one binary that is every part of Kubernetes.
pub(super) fn kubernetes(kubernetes: Kubernetes) -> Result<PathBuf> {
    let go = Go::find()?;
    let inputs = go.inputs(kubernetes.module(), "main.go")?;
    let version = kubernetes.version()?;
    let modules = format!("-modfile={}", kubernetes.module());
    cache::file("kubernetes", &slices(&inputs), |out| {
        let packages = step::run("Download the Go modules of Kubernetes", |_| {
            Ok(command::output(go.at_module().args(["list", &modules, "-deps", "."]))?.lines().count())
        })?;
        step::run(&format!("Build Kubernetes {version}"), |step| {
            step.expect(packages as u64);
            let mut build = go.at_module();
            build.args(["build", &modules, "-v", "-trimpath", NO_DWARF, "-ldflags", &flags(&version), "-o"]);
            command::follow(build.arg(out).arg("."), |line| step.advance(line))
        })
    })
}

/// The program of a pod's first container.
pub(super) fn pause() -> Result<PathBuf> {
    let go = Go::find()?;
    let inputs = go.inputs(Kubernetes::default().module(), "pause/main.go")?;
    cache::file("pause", &slices(&inputs), |out| {
        step::run("Build the pause program", |_| {
            let mut build = go.at_module();
            build.env("CGO_ENABLED", "0");
            build.args(["build", "-trimpath", NO_DWARF, "-ldflags", "-s -w", "-o"]);
            command::output(build.arg(out).arg("./pause"))?;
            elf::ensure_static(out)
        })
    })
}

/// Helm, built from its own module.
pub(crate) fn helm(version: Helm) -> Result<PathBuf> {
    let go = Go::find()?;
    let module = version.module();
    let inputs = [go.version.as_bytes(), module.as_bytes()];
    cache::file("helm", &inputs, |out| {
        step::run(&format!("Build {module}"), |step| {
            let mut install = go.command();
            install
                .args(["install", "-v", "-trimpath", NO_DWARF, "-ldflags", "-s -w", module])
                .env("GOBIN", out.parent().context("a build needs a folder")?)
                .env("GOFLAGS", "");
            command::follow(&mut install, |line| step.advance(line))
        })
    })
}

// === impl Go ===

impl Go {
    fn find() -> Result<Self> {
        let program =
            command::find("go").context("no Go toolchain on this machine: install Go 1.26 or later from go.dev/dl")?;
        let version = command::output(Command::new(&program).args(["env", "GOVERSION", "GOARCH"]))?;
        Ok(Self { program, version, module: module() })
    }

    /// Everything that a program made from `main` with these modules depends on.
    fn inputs(&self, modules: &str, main: &str) -> Result<Vec<Vec<u8>>> {
        let read = |name: &str| {
            let file = self.module.join(name);
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
        };
        let sums = modules.replace(".mod", ".sum");
        Ok(vec![self.version.clone().into_bytes(), read(modules)?, read(&sums)?, read(main)?])
    }

    /// Compilers run for moments: they may as well let their garbage lie, as long as it is no more than this.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("GOGC", "off").env("GOMEMLIMIT", "2GiB");
        command
    }

    fn at_module(&self) -> Command {
        let mut command = self.command();
        command.current_dir(&self.module).env("GOFLAGS", "-mod=readonly -buildvcs=false");
        command
    }
}

fn module() -> PathBuf {
    workspace::root().join("tests/cluster")
}

fn slices(inputs: &[Vec<u8>]) -> Vec<&[u8]> {
    inputs.iter().map(Vec::as_slice).collect()
}

/// Tells the parts their version, as the upstream build does.
fn flags(version: &str) -> String {
    let minor = version.split('.').nth(1).unwrap_or_default();
    let base = "k8s.io/component-base/version";
    let client = "k8s.io/client-go/pkg/version";
    format!(
        "-s -w -X {base}.gitVersion=v{version} -X {base}.gitMajor=1 -X {base}.gitMinor={minor} \
         -X {client}.gitVersion=v{version}"
    )
}

/// Points `link` at `program`, whatever it was before.
pub(super) fn link(program: &Path, link: &Path) -> Result<()> {
    match std::fs::remove_file(link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    std::os::unix::fs::symlink(program, link).with_context(|| format!("cannot link {}", link.display()))
}
