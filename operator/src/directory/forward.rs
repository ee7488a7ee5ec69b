//! What one agent says, forwarded to the operator that holds the lease, while that is another one.
//!
//! Whoever turns to another holder, or comes to it again, says the newest of everything once more: what was said before
//! is in it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use baton_wire::directory as wire;
use baton_wire::directory::directory_client::DirectoryClient;
use baton_wire::directory::report::Body as ReportBody;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::line::{Line, Trunk};

/// How many receipts of one agent are kept: its own, and those of peers that left it theirs.
const RECEIPTS: usize = 64;

/// Reports between this task and the transport: what is newer waits, and replaces what is older.
const OUTBOX: usize = 1;

/// How long the holder may take to take a report.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause before a stream that broke is opened again.
const PAUSE: Duration = Duration::from_millis(500);

/// What an agent has said: the newest of each kind, and its receipts.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) hello: wire::Hello,
    at: Instant,
    phase: Option<wire::PhaseReport>,
    reachability: Option<wire::Reachability>,
    settled: Option<wire::Settled>,
    /// Each with its number.
    receipts: VecDeque<(u64, wire::HandoffReport)>,
}

/// What the holder has been told on one stream.
#[derive(Default)]
struct Told {
    phase: Option<wire::PhaseReport>,
    reachability: Option<wire::Reachability>,
    settled: Option<wire::Settled>,
    /// The number of the next receipt.
    receipts: u64,
}

// === impl Said ===

impl Said {
    pub(super) fn new(hello: wire::Hello) -> Self {
        let at = Instant::now();
        Self { hello, at, phase: None, reachability: None, settled: None, receipts: VecDeque::new() }
    }

    /// Takes one report.
    pub(super) fn take(&mut self, report: &wire::Report) {
        match &report.body {
            None | Some(ReportBody::Hello(_)) => {}
            Some(ReportBody::Phase(report)) => self.phase = Some(*report),
            Some(ReportBody::Reachability(report)) => self.reachability = Some(report.clone()),
            Some(ReportBody::Settled(report)) => self.settled = Some(report.clone()),
            Some(ReportBody::Handoff(report)) => {
                let number = self.receipts.back().map_or(0, |(number, _)| number + 1);
                if self.receipts.len() == RECEIPTS {
                    self.receipts.pop_front();
                }
                self.receipts.push_back((number, report.clone()));
            }
        }
    }

    fn hello(&self) -> ReportBody {
        let age_millis = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        ReportBody::Hello(wire::Hello { age_millis, ..self.hello.clone() })
    }
}

// === impl Told ===

impl Told {
    /// What has not been told; it counts as told from now on.
    fn news(&mut self, said: &Said) -> Vec<ReportBody> {
        let mut news = Vec::new();
        if self.phase != said.phase {
            self.phase = said.phase;
            news.extend(said.phase.map(ReportBody::Phase));
        }
        if self.reachability != said.reachability {
            self.reachability.clone_from(&said.reachability);
            news.extend(said.reachability.clone().map(ReportBody::Reachability));
        }
        if self.settled != said.settled {
            self.settled.clone_from(&said.settled);
            news.extend(said.settled.clone().map(ReportBody::Settled));
        }
        let receipts = said.receipts.iter().filter(|(number, _)| *number >= self.receipts);
        news.extend(receipts.map(|(_, receipt)| ReportBody::Handoff(receipt.clone())));
        self.receipts = said.receipts.back().map_or(self.receipts, |(number, _)| number + 1);
        news
    }
}

/// Forwards until the agent's own stream has ended, which drops the sender, and all that it said is told.
pub(super) async fn forward(mut said: watch::Receiver<Said>, mut line: Line) {
    loop {
        match line.trunk() {
            Some(trunk) => {
                let ended = tokio::select! {
                    ended = Box::pin(stream(&trunk, &mut said)) => ended,
                    () = line.changed() => Ok(()),
                };
                if let Err(status) = ended {
                    tracing::debug!(error = status.message(), "What agents say could not be forwarded");
                }
                sleep(PAUSE).await;
            }
            None => tokio::select! {
                () = line.changed() => {}
                () = ended(&mut said) => {}
            },
        }
        if said.has_changed().is_err() {
            return;
        }
    }
}

async fn stream(trunk: &Trunk, said: &mut watch::Receiver<Said>) -> Result<(), tonic::Status> {
    let (outbox, reports) = mpsc::channel(OUTBOX);
    let say = async |body| {
        let sent = timeout(PATIENCE, outbox.send(wire::Report { body: Some(body) })).await;
        sent.is_ok_and(|sent| sent.is_ok()).then_some(()).ok_or(tonic::Status::unavailable("nothing is taken any more"))
    };
    let hello = said.borrow().hello();
    say(hello).await?;
    let mut client = DirectoryClient::new(trunk.channel.clone());
    let call = timeout(PATIENCE, client.forward(ReceiverStream::new(reports))).await;
    let mut answer = call.map_err(|_| tonic::Status::deadline_exceeded("there was no answer"))??.into_inner();
    let mut told = Told::default();
    loop {
        let news = told.news(&said.borrow_and_update());
        for body in news {
            say(body).await?;
        }
        tokio::select! {
            changed = said.changed() => if changed.is_err() { break },
            ended = answer.message() => return ended.map(drop),
        }
    }
    drop(outbox);
    // The holder ends the answer when it has taken everything.
    let _ = timeout(PATIENCE, answer.message()).await;
    Ok(())
}

async fn ended(said: &mut watch::Receiver<Said>) {
    while said.changed().await.is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(body: ReportBody) -> wire::Report {
        wire::Report { body: Some(body) }
    }

    #[test]
    fn a_holder_is_told_the_newest_of_each_kind_once_and_every_receipt() {
        let mut said = Said::new(wire::Hello::default());
        let phase = |keys| wire::PhaseReport { keys, ..Default::default() };
        let receipt = |keys| wire::HandoffReport { keys, ..Default::default() };
        for keys in 1..=2 {
            said.take(&report(ReportBody::Phase(phase(keys))));
            said.take(&report(ReportBody::Handoff(receipt(keys))));
        }
        let mut told = Told::default();
        let all = [ReportBody::Phase(phase(2)), ReportBody::Handoff(receipt(1)), ReportBody::Handoff(receipt(2))];
        assert_eq!(told.news(&said), all);
        assert_eq!(told.news(&said), []);
        said.take(&report(ReportBody::Handoff(receipt(2))));
        assert_eq!(told.news(&said), [ReportBody::Handoff(receipt(2))]);
        assert_eq!(Told::default().news(&said).len(), 4, "another holder is told everything");
    }

    #[test]
    fn receipts_are_bounded() {
        let mut said = Said::new(wire::Hello::default());
        for keys in 0..1_000 {
            said.take(&report(ReportBody::Handoff(wire::HandoffReport { keys, ..Default::default() })));
        }
        let mut told = Told::default();
        assert_eq!(told.news(&said).len(), RECEIPTS);
        assert_eq!(told.receipts, 1_000);
    }
}
