//! A page in a headless Chromium, spoken to over a pipe: one JSON object after the other, each with a zero byte at its end.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::process::wait_at_most;
use crate::wait::PATIENCE;

/// Debian's package of the same name has it; `cargo xtask test` installs it.
const PROGRAM: &str = "chromium-headless-shell";
/// Chromium takes commands from descriptor 3, and answers on 4. What it says otherwise goes to its log.
const PIPE: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >>"$LOG" 2>&1"#;
/// How long it may take to end.
const END: Duration = Duration::from_secs(10);
/// Answers that wait to be read.
const ANSWERS: usize = 64;

/// A browser with one page.
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: Receiver<Value>,
    session: Option<String>,
    sent: u64,
}

// === impl Browser ===

impl Browser {
    /// Opens a page.
    pub fn open(url: &str, folder: &Path, (width, height): (u32, u32)) -> Result<Self> {
        let mut child = Command::new("sh")
            .args([
                "-c",
                PIPE,
                PROGRAM,
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            .args(["--disable-dev-shm-usage", "--no-first-run", "--force-device-scale-factor=1"])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", folder.join("browser").display()))
            .env("LOG", folder.join("browser.log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a browser")?;
        let (commands, answers) = (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
        let mut browser = Self { child, commands, answers: follow(answers), session: None, sent: 0 };
        let page = browser.ask("Target.createTarget", json!({ "url": url }))?;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.ask("Target.attachToTarget", attach)?;
        browser.session = Some(attached["sessionId"].as_str().context("no session")?.to_owned());
        Ok(browser)
    }

    /// The value of an expression on the page.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.ask("Runtime.evaluate", params)?;
        match answer.get("exceptionDetails") {
            Some(details) => bail!("the page says {details}"),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// The page as a PNG.
    pub fn screenshot(&mut self) -> Result<Vec<u8>> {
        let answer = self.ask("Page.captureScreenshot", json!({ "format": "png" }))?;
        Ok(STANDARD.decode(answer["data"].as_str().context("no picture")?)?)
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<Value> {
        self.sent += 1;
        let mut command = json!({ "id": self.sent, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let sent = write!(self.commands, "{command}\0").and_then(|()| self.commands.flush());
        sent.with_context(|| format!("there is no browser: is {PROGRAM} installed? `cargo xtask test` does it"))?;
        loop {
            let answer = self.answers.recv_timeout(PATIENCE);
            let mut answer =
                answer.with_context(|| format!("the browser does not answer {method}: is {PROGRAM} installed?"))?;
            if answer["id"] != self.sent {
                continue;
            }
            if let Some(error) = answer.get("error") {
                bail!("{method}: {error}");
            }
            return Ok(answer["result"].take());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already. What was started is a script, and the browser is a child of that.
        let _ = write!(self.commands, "{}\0", json!({ "id": 0, "method": "Browser.close" }));
        let _ = self.commands.flush();
        let _ = wait_at_most(&mut self.child, END);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(answers: ChildStdout) -> Receiver<Value> {
    let (tell, told) = sync_channel(ANSWERS);
    std::thread::spawn(move || {
        let texts = BufReader::new(answers).split(0).map_while(Result::ok);
        for answer in texts.map_while(|text| serde_json::from_slice(&text).ok()) {
            if tell.send(answer).is_err() {
                break;
            }
        }
    });
    told
}
