//! The clients: how each is installed, in the version that its folder names, and which program runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt::{self, Need};
use crate::{cache, command, workspace};

/// One client library, or program.
pub(super) struct Library {
    pub(super) name: &'static str,
    /// Its folder in `tests/clients`.
    folder: &'static str,
    kind: Kind,
}

/// How it comes to this machine.
enum Kind {
    Python,
    /// The program of this name.
    Node(&'static str),
    Go,
    Java,
    /// Debian packages, and the interpreter of the program of this name.
    Debian(&'static [Need], &'static str, &'static str),
    /// An app of `examples`, and the Node program that plays with it.
    Example(App, &'static str),
}

/// What an example is written in.
#[derive(Clone, Copy)]
enum App {
    Python(&'static str),
    Node(&'static str),
    Go,
}

const PYTHON: [Need; 2] =
    [Need { program: "python3", package: "python3" }, Need { program: "pip", package: "python3-pip" }];
const NODE: [Need; 2] = [Need { program: "node", package: "nodejs" }, Need { program: "npm", package: "npm" }];
const GO: Need = Need { program: "go", package: "golang-go" };
const JAVA: [Need; 2] =
    [Need { program: "javac", package: "default-jdk-headless" }, Need { program: "mvn", package: "maven" }];
const ELIXIR: Need = Need { program: "elixir", package: "elixir" };
const REDIS_CLI: Need = Need { program: "redis-cli", package: "redis-tools" };

/// All of them.
pub(super) const LIBRARIES: [Library; 12] = [
    Library { name: "redis-py", folder: "python", kind: Kind::Python },
    Library { name: "schemathesis", folder: "schemathesis", kind: Kind::Python },
    Library { name: "ioredis", folder: "node", kind: Kind::Node("ioredis.mjs") },
    Library { name: "node-redis", folder: "node", kind: Kind::Node("node-redis.mjs") },
    Library { name: "phoenix", folder: "node", kind: Kind::Node("phoenix.mjs") },
    Library { name: "go-redis", folder: "go", kind: Kind::Go },
    Library { name: "jedis", folder: "java", kind: Kind::Java },
    Library { name: "redis-cli", folder: "shell", kind: Kind::Debian(&[REDIS_CLI], "sh", "redis-cli.sh") },
    Library { name: "elixir", folder: "elixir", kind: Kind::Debian(&[ELIXIR], "elixir", "ancestors.exs") },
    Library { name: "cart", folder: "node", kind: Kind::Example(App::Python("cart/cart.py"), "cart.mjs") },
    Library { name: "chat", folder: "node", kind: Kind::Example(App::Node("chat/server.mjs"), "chat.mjs") },
    Library { name: "sessions", folder: "node", kind: Kind::Example(App::Go, "sessions.mjs") },
];

// === impl Library ===

impl Library {
    /// Installs it, unless that was done, and returns what runs its checks.
    pub(super) fn install(&self) -> Result<Command> {
        let source = workspace::root().join("tests/clients").join(self.folder);
        match self.kind {
            Kind::Python => python(&source.join("requirements.txt"), &source.join("main.py")),
            Kind::Node(program) => node(&source, program),
            Kind::Go => go(&source, &["go.mod", "go.sum", "main.go"]),
            Kind::Java => java(&source),
            Kind::Debian(needs, interpreter, program) => {
                apt::ensure(needs)?;
                let mut command = Command::new(interpreter);
                command.arg(source.join(program));
                Ok(command)
            }
            Kind::Example(app, program) => {
                let mut command = node(&source, program)?;
                let app = app.install()?;
                command.env("APP", words(&app)).envs(app.get_envs().filter_map(|(name, value)| Some((name, value?))));
                Ok(command)
            }
        }
    }
}

// === impl App ===

impl App {
    fn install(self) -> Result<Command> {
        let examples = workspace::root().join("examples");
        match self {
            Self::Python(program) => {
                let file = examples.join(program);
                let folder = file.parent().context("a program is in a folder")?;
                python(&folder.join("requirements.txt"), &file)
            }
            Self::Node(program) => {
                apt::ensure(&NODE)?;
                let mut command = Command::new("node");
                command.arg(examples.join(program));
                Ok(command)
            }
            Self::Go => go(&examples.join("sessions"), &["go.mod", "main.go"]),
        }
    }
}

/// A command in one line; no path here has a space.
fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn python(list: &Path, program: &Path) -> Result<Command> {
    apt::ensure(&PYTHON)?;
    let folder = installed("python", &[list.to_owned()], |folder| {
        let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--target"];
        command::output(Command::new("python3").args(pip).arg(folder).arg("--requirement").arg(list))
            .with_context(|| format!("cannot install what {} lists; is there a network?", list.display()))
    })?;
    let mut command = Command::new("python3");
    command.arg(program).env("PYTHONPATH", folder);
    Ok(command)
}

fn node(source: &Path, program: &str) -> Result<Command> {
    apt::ensure(&NODE)?;
    let lists = ["package.json", "package-lock.json"].map(|name| source.join(name));
    let folder = installed("node", &lists, |folder| {
        copy(&lists, folder)?;
        command::output(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit"]).current_dir(folder))
    })?;
    // A module looks for others beside itself.
    let programs = ["check.mjs", "events.mjs", "pod.mjs", program].map(|name| source.join(name));
    copy(&programs, &folder)?;
    let mut command = Command::new("node");
    command.arg(folder.join(program));
    Ok(command)
}

fn go(source: &Path, files: &[&str]) -> Result<Command> {
    apt::ensure(&[GO])?;
    let files: Vec<PathBuf> = files.iter().map(|name| source.join(name)).collect();
    let folder = installed("go", &files, |folder| {
        command::output(Command::new("go").args(["build", "-o"]).arg(folder.join("client")).current_dir(source))
    })?;
    Ok(Command::new(folder.join("client")))
}

fn java(source: &Path) -> Result<Command> {
    apt::ensure(&JAVA)?;
    let lists = ["pom.xml", "Main.java"].map(|name| source.join(name));
    let folder = installed("java", &lists, |folder| {
        let copy = format!("-DoutputDirectory={}", folder.display());
        let fetch = ["--quiet", "--batch-mode", "dependency:copy-dependencies", &copy];
        command::output(Command::new("mvn").args(fetch).arg("--file").arg(&lists[0]))?;
        let path = format!("{}/*", folder.display());
        command::output(Command::new("javac").args(["-cp", &path, "-d"]).arg(folder).arg(&lists[1]))
    })?;
    let jars = std::fs::read_dir(&folder)?.flatten().map(|file| file.file_name().to_string_lossy().into_owned());
    let version = jars.filter_map(|name| Some(name.strip_prefix("jedis-")?.strip_suffix(".jar")?.to_owned()));
    let version = version.max().context("there is no Jedis")?;
    let mut command = Command::new("java");
    command.args(["-cp", &format!("{0}:{0}/*", folder.display()), "Main", &version]);
    Ok(command)
}

/// The cached folder that these files say what is in.
fn installed(name: &str, lists: &[PathBuf], install: impl FnOnce(&Path) -> Result<String>) -> Result<PathBuf> {
    let lists: Result<Vec<Vec<u8>>, _> = lists.iter().map(std::fs::read).collect();
    let lists = lists?;
    let inputs: Vec<&[u8]> = lists.iter().map(Vec::as_slice).collect();
    cache::file(&format!("client-{name}"), &inputs, |folder| {
        std::fs::create_dir_all(folder)?;
        install(folder).map(drop)
    })
}

fn copy(files: &[PathBuf], folder: &Path) -> Result<()> {
    for file in files {
        let name = file.file_name().context("a file has a name")?;
        std::fs::copy(file, folder.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}
