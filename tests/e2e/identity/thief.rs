//! Somebody on the pod network who has what he should not have.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use baton_identity::{Credential, Expected, KeyRequest, Wallet, connect};
use baton_wire::directory::directory_client::DirectoryClient;
use baton_wire::directory::{Hello, Phase, Report, notice, report};
use baton_wire::identity::IssueRequest;
use baton_wire::identity::identity_client::IdentityClient;
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What he does it with.
pub(super) struct Thief {
    runtime: Runtime,
    operator: String,
    wallet: Arc<Wallet>,
}

/// A certificate that was given to him.
#[derive(Debug)]
pub(super) struct Booty(Credential);

// === impl Thief ===

impl Thief {
    /// He knows where the operator is, and has the CAs, which are no secret.
    pub(super) fn new(operator: &str, roots: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let wallet = Arc::new(Wallet::default());
        wallet.trust(roots)?;
        Ok(Self { runtime, operator: operator.to_owned(), wallet })
    }

    /// Asks for a certificate.
    pub(super) fn ask(&self, token: &str, group: &str) -> Result<Result<Booty, Code>> {
        let key = KeyRequest::new()?;
        let request = key.to_der()?.into();
        let request = IssueRequest { token: token.to_owned(), group: group.to_owned(), request };
        let answer = self.runtime.block_on(async {
            let mut client = IdentityClient::new(self.call(&self.wallet).await?);
            anyhow::Ok(client.issue(request).await)
        })?;
        match answer {
            Ok(answer) => Ok(Ok(Booty(key.into_credential(answer.into_inner().certificate.to_vec())?))),
            Err(status) => Ok(Err(status.code())),
        }
    }

    /// Connects to a member.
    pub(super) fn meets(&self, wallet: &Arc<Wallet>, address: &str) -> Result<()> {
        let config = wallet.client_config(Expected::OwnGroup)?;
        self.runtime.block_on(connect(address, config, LIMIT))?;
        Ok(())
    }

    /// Says hello to the directory as this pod; answers whether it is told who is a member.
    pub(super) fn attends(
        &self,
        wallet: &Arc<Wallet>,
        namespace: &str,
        group: &str,
        pod: &str,
        uid: &str,
    ) -> Result<bool> {
        let hello = Hello {
            namespace: namespace.to_owned(),
            group: group.to_owned(),
            pod_name: pod.to_owned(),
            pod_uid: uid.to_owned(),
            replica: 4711,
            address: "10.0.0.1:7072".to_owned(),
            phase: Phase::Joining.into(),
            ..Hello::default()
        };
        let report = Report { body: Some(report::Body::Hello(hello)) };
        let notice = self.runtime.block_on(async {
            let mut client = DirectoryClient::new(self.call(wallet).await?);
            let reports = tokio_stream::StreamExt::chain(tokio_stream::once(report), tokio_stream::pending());
            let attended = async { client.attend(reports).await?.into_inner().message().await };
            anyhow::Ok(tokio::time::timeout(LIMIT, attended).await.context("the directory says nothing")?)
        })?;
        let notice: Result<_, Status> = notice;
        Ok(matches!(notice?.and_then(|notice| notice.body), Some(notice::Body::Membership(_))))
    }

    async fn call(&self, wallet: &Arc<Wallet>) -> Result<Channel> {
        let (stream, _) = connect(&self.operator, wallet.client_config(Expected::Operator)?, LIMIT).await?;
        let mut stream = Some(stream);
        let once = tower::service_fn(move |_: Uri| {
            let stream = stream.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected));
            async move { stream.map(TokioIo::new) }
        });
        Ok(Endpoint::from_static("http://operator").connect_with_connector(once).await?)
    }
}

// === impl Booty ===

impl Booty {
    /// To be shown.
    pub(super) fn wallet(self, roots: &str) -> Result<Arc<Wallet>> {
        let wallet = Arc::new(Wallet::default());
        wallet.trust(roots)?;
        wallet.hold(self.0);
        Ok(wallet)
    }
}
