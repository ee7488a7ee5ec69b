//! One agent: gets its certificate, attends, says what a real one says, and leaves when its list says that its pod does.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use baton_identity::{
    Authority, Credential, Expected, Identity, KeyRequest, LEAF_LIFE, Member, TrustDomain, Wallet, connect,
};
use baton_wire::directory as wire;
use baton_wire::directory::directory_client::DirectoryClient;
use baton_wire::directory::handoff_report::Stage as Word;
use baton_wire::directory::notice::Body as Notice;
use baton_wire::directory::report::Body;
use baton_wire::identity::IssueRequest;
use baton_wire::identity::identity_client::IdentityClient;
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};

use super::speech::Speech;
use super::{Stage, Surroundings};

/// Times of a real agent: see `agent/src/membership/operator`.
const CONNECT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_secs(1);
const NUMBERS: Duration = Duration::from_secs(10);
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What taking over a small state takes, and what handing it off takes.
const WORK: Duration = Duration::from_millis(50);

/// The window of a stream that is to be filled soon by lists that nobody reads.
const NARROW: u32 = 16 * 1024;

/// Reports on their way.
const OUTBOX: usize = 8;

/// An agent that does not run yet.
pub(crate) struct Agent {
    /// Its pod.
    pub(crate) pod: Pod,
    /// Its id.
    pub(crate) replica: u64,
    /// The list that it knows; one that knows none joins.
    pub(crate) list: Option<wire::Membership>,
    /// What its certificate is signed with; without it, it asks the operator for one.
    pub(crate) authority: Option<Authority>,
    /// Whether the lists of few changes fill its stream.
    pub(crate) is_narrow: bool,
}

/// The pod of an agent.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) node: String,
    pub(crate) address: String,
}

/// How far an agent is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    /// The era of the operator that has last given it a list.
    pub(crate) served: Option<u64>,
    /// The number of that list.
    pub(crate) number: u64,
    /// What the list says of it.
    pub(crate) listed: wire::Phase,
    /// Whether it has left.
    pub(crate) has_left: bool,
}

/// An agent that runs.
struct Running {
    pod: Pod,
    speech: Speech,
    surroundings: Arc<Surroundings>,
    steps: watch::Sender<Step>,
    silent: watch::Receiver<bool>,
    is_narrow: bool,
}

/// Why a stream ended well.
struct Left;

// === impl Agent ===

impl Agent {
    /// Runs until it has left.
    pub(super) async fn run(
        self,
        surroundings: Arc<Surroundings>,
        steps: watch::Sender<Step>,
        silent: watch::Receiver<bool>,
    ) {
        let Self { pod, replica, list, authority, is_narrow } = self;
        let phase = if list.is_some() { wire::Phase::Active } else { wire::Phase::Joining };
        let speech = Speech::new(replica, phase, list);
        let mut running = Running { pod, speech, surroundings, steps, silent, is_narrow };
        let wallet = Arc::new(Wallet::default());
        let mut pause = PAUSES.0;
        let mut certified = false;
        loop {
            if !certified {
                certified = running.certify(&wallet, authority.as_ref()).await.is_ok();
            }
            let before = running.steps.borrow().served;
            if certified && matches!(running.attend(&wallet).await, Ok(Left)) {
                running.steps.send_modify(|step| step.has_left = true);
                return;
            }
            let served = running.steps.borrow().served != before;
            pause = if served { PAUSES.0 } else { pause };
            sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
            pause = (2 * pause).min(PAUSES.1);
        }
    }
}

// === impl Running ===

impl Running {
    async fn certify(&self, wallet: &Arc<Wallet>, authority: Option<&Authority>) -> Result<()> {
        wallet.trust(&self.surroundings.roots)?;
        let Pod { namespace, group, name, uid, .. } = &self.pod;
        let Some(authority) = authority else {
            let mut client = IdentityClient::new(self.connect(wallet).await?);
            let key = KeyRequest::new()?;
            let token = format!("{namespace}/{name}/{uid}");
            let request = IssueRequest { token, group: group.clone(), request: key.to_der()?.into() };
            let answer = client.issue(request).await?.into_inner();
            wallet.hold(key.into_credential(answer.certificate.to_vec())?);
            return Ok(());
        };
        let domain: TrustDomain = "cluster.local".parse()?;
        let identity = Identity::Member(domain, Member::new(namespace, group, uid)?);
        let (issued, key) = authority.issue(&identity, SystemTime::now(), LEAF_LIFE)?;
        wallet.hold(Credential::from_pem(&issued.pem, &key)?);
        Ok(())
    }

    async fn connect(&self, wallet: &Arc<Wallet>) -> Result<Channel> {
        let config = wallet.client_config(Expected::Operator)?;
        let (connection, _) = connect(&self.surroundings.directory, config, CONNECT).await?;
        let mut connection = Some(connection);
        let connector = tower::service_fn(move |_: Uri| {
            let connection = connection.take().ok_or(std::io::Error::from(std::io::ErrorKind::NotConnected));
            async move { connection.map(TokioIo::new) }
        });
        let mut endpoint = Endpoint::from_static("http://directory")
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        if self.is_narrow {
            endpoint = endpoint.initial_stream_window_size(NARROW);
        }
        Ok(endpoint.connect_with_connector(connector).await?)
    }

    async fn attend(&mut self, wallet: &Arc<Wallet>) -> Result<Left> {
        let era = self.surroundings.era();
        let channel = self.connect(wallet).await?;
        let (outbox, reports) = mpsc::channel(OUTBOX);
        if self.speech.phase == wire::Phase::Joining {
            self.surroundings.sights.begin(self.speech.replica, Stage::Joined, false);
        }
        say(&outbox, self.speech.hello(&self.pod)).await?;
        let mut notices = DirectoryClient::new(channel).attend(ReceiverStream::new(reports)).await?.into_inner();
        let mut look = None;
        let mut numbers = Instant::now() + NUMBERS.mul_f64(rand::random());
        loop {
            tokio::select! {
                notice = notices.message() => {
                    let notice = notice?.context("the operator ended the stream")?;
                    if let Some(Notice::Membership(list)) = notice.body {
                        self.take(list, era);
                        look.get_or_insert_with(|| Instant::now() + LOOK.mul_f64(rand::random()));
                    }
                }
                () = sleep_until(numbers) => {
                    say(&outbox, self.speech.phase()).await?;
                    numbers += NUMBERS;
                }
                () = due(look) => {
                    look = None;
                    for body in self.speech.news() {
                        say(&outbox, body).await?;
                    }
                }
                () = turned(&mut self.silent, true) => turned(&mut self.silent, false).await,
            }
            self.go_on(&outbox).await?;
            if self.speech.phase == wire::Phase::Leaving {
                return Ok(Left);
            }
        }
    }

    /// Takes a list, and notes what is new in it of others.
    fn take(&mut self, list: wire::Membership, era: u64) {
        let own = self.speech.replica;
        if let Some(before) = &self.speech.list {
            let now = |replica: u64| list.members.iter().find(|member| member.replica == replica);
            for old in before.members.iter().filter(|member| member.replica != own) {
                // Who is not listed any more is gone.
                let phase = now(old.replica).map_or(wire::Phase::Gone, wire::Member::phase);
                for (reached, stage) in [(wire::Phase::Leaving, Stage::Leaving), (wire::Phase::Gone, Stage::Gone)] {
                    if old.phase() < reached && phase >= reached {
                        self.surroundings.sights.see(old.replica, stage);
                    }
                }
            }
            let known = |replica: u64| before.members.iter().any(|member| member.replica == replica);
            for new in list.members.iter().filter(|member| member.replica != own && !known(member.replica)) {
                self.surroundings.sights.see(new.replica, Stage::Joined);
            }
        }
        let number = list.version.as_ref().map_or(0, |version| version.number);
        self.speech.list = Some(list);
        let listed = self.speech.own().map_or(wire::Phase::Unspecified, wire::Member::phase);
        self.steps.send_modify(|step| *step = Step { served: Some(era), number, listed, ..*step });
    }

    /// Does what its own row in the list asks for.
    async fn go_on(&mut self, outbox: &mpsc::Sender<wire::Report>) -> Result<()> {
        let listed = self.steps.borrow().listed;
        match (self.speech.phase, listed) {
            (wire::Phase::Joining, wire::Phase::Joining) => {
                sleep(WORK).await;
                self.speech.phase = wire::Phase::Active;
                say(outbox, self.speech.phase()).await
            }
            (wire::Phase::Joining | wire::Phase::Active, wire::Phase::Leaving) => {
                self.speech.phase = wire::Phase::Leaving;
                say(outbox, self.speech.phase()).await?;
                for word in [Word::Started, Word::Hook, Word::Sealed] {
                    say(outbox, self.speech.receipt(&self.pod, word)).await?;
                    sleep(WORK).await;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

async fn say(outbox: &mpsc::Sender<wire::Report>, body: Body) -> Result<()> {
    outbox.send(wire::Report { body: Some(body) }).await.context("the stream has ended")
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Waits until it is to be silent, or not any more.
async fn turned(silent: &mut watch::Receiver<bool>, to: bool) {
    if silent.wait_for(|silent| *silent == to).await.is_err() {
        std::future::pending::<()>().await;
    }
}
