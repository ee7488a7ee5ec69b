//! `baton-operator check`: whether an installation works, seen from inside the cluster. `helm test` runs it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use baton_crds::{Handoff, HandoffGroup, Membership};
use baton_identity::{CertificateDer, Expected, Wallet, connect};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Api, Client};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::args::Args;
use crate::identity::ROOTS;
use crate::lease::{RENEWAL, Record};

/// How long each part may take to work: an installation that has just become ready may still elect a holder.
const PATIENCE: Duration = Duration::from_secs(40);

/// The pause before a part is looked at again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long one connection may take.
const CALL: Duration = Duration::from_secs(5);

/// The largest answer of the webhook.
const ANSWER: u64 = 1 << 20;

/// Looks at each part and says how it is; an error if one does not work.
pub async fn run(args: &Args, client: Client) -> Result<()> {
    let parts = [
        say("Baton's kinds are there", || kinds(args, &client)).await,
        say("an operator holds the lease, and renews it", || lease(args, &client)).await,
        say("the webhook answers, by a certificate that the API server trusts", || webhook(args, &client)).await,
        say("the directory answers, and proves to be an operator", || directory(args, &client)).await,
    ];
    let failed = parts.iter().filter(|works| !**works).count();
    ensure!(failed == 0, "{failed} of {} parts do not work", parts.len());
    Ok(())
}

/// Looks at a part until it works or its time is over, and prints what came of it.
async fn say<F: Future<Output = Result<()>>>(what: &str, look: impl Fn() -> F) -> bool {
    let begun = Instant::now();
    loop {
        match look().await {
            Ok(()) => {
                println!("ok      {what}");
                return true;
            }
            Err(error) if begun.elapsed() >= PATIENCE => {
                println!("FAILED  {what}: {error:#}");
                return false;
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn kinds(args: &Args, client: &Client) -> Result<()> {
    let (one, here) = (ListParams::default().limit(1), &args.namespace);
    Api::<HandoffGroup>::namespaced(client.clone(), here).list(&one).await.context("list HandoffGroups")?;
    Api::<Membership>::namespaced(client.clone(), here).list(&one).await.context("list Memberships")?;
    Api::<Handoff>::namespaced(client.clone(), here).list(&one).await.context("list Handoffs")?;
    Ok(())
}

async fn lease(args: &Args, client: &Client) -> Result<()> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), &args.namespace);
    let read = async || anyhow::Ok(Record::of(leases.get(&args.lease).await.context("read the Lease")?));
    let before = read().await?;
    ensure!(before.holder.is_some(), "nobody holds it");
    sleep(2 * RENEWAL).await;
    ensure!(read().await?.is_news_after(&before), "its holder {} does not renew it", before.holder.unwrap_or_default());
    Ok(())
}

async fn webhook(args: &Args, client: &Client) -> Result<()> {
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let name = &args.webhook_configuration;
    let found = configurations.get(name).await.with_context(|| format!("read the configuration {name}"))?;
    let first = found.webhooks.unwrap_or_default().into_iter().next().context("it has no webhook")?;
    let trusted = first.client_config.ca_bundle.context("it has no caBundle yet")?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&trusted.0) {
        roots.add(certificate.context("read the caBundle")?)?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let host = format!("{}.{}.svc", args.service, args.namespace);
    let stream = timeout(CALL, TcpStream::connect((host.as_str(), 443))).await.context("connect")??;
    let server = ServerName::try_from(host.clone()).context("the Service's name")?;
    let mut stream = timeout(CALL, TlsConnector::from(Arc::new(config)).connect(server, stream)).await??;

    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "check", "labels": {"baton.dev/inject": "disabled"}}});
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "check", "kind": kind, "resource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "check", "namespace": args.namespace, "operation": "CREATE", "dryRun": true, "object": pod,
        "userInfo": {},
    }});
    let body = review.to_string();
    let request = format!(
        "POST /inject HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // The other side may close without a word once everything is said.
    let _ = timeout(CALL, stream.take(ANSWER).read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("it says nothing that is HTTP") };
    let said: Value = serde_json::from_str(body).with_context(|| format!("it answers {head}"))?;
    ensure!(said["response"]["allowed"] == true && said["response"]["uid"] == "check", "it answers {said}");
    Ok(())
}

/// Goes by the CAs as agents do: who checks need not be able to read the key that they sign with.
async fn directory(args: &Args, client: &Client) -> Result<()> {
    let (name, key) = ROOTS;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &args.namespace);
    let map = maps.get(name).await.context("read the ConfigMap with the CAs")?;
    let roots = map.data.and_then(|mut data| data.remove(key)).context("there are no CAs in it")?;
    let wallet = Arc::new(Wallet::default());
    wallet.trust(&roots)?;
    let address = format!("{}.{}.svc:{}", args.service, args.namespace, args.directory.port());
    connect(&address, wallet.client_config(Expected::Operator)?, CALL).await.map(drop).context(address)
}
