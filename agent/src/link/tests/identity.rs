//! Who is let in: members of the group, each as the pod that its certificate names.

use std::time::SystemTime;

use baton_identity::{Authority, Credential, LEAF_LIFE, Wallet};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::*;

/// Gives certificates to the agents of a test.
struct Office {
    authority: Authority,
}

// === impl Office ===

impl Office {
    fn open() -> Self {
        Self { authority: Authority::new("test CA", SystemTime::now(), 2 * LEAF_LIFE).expect("a CA") }
    }

    fn transport(&self, uri: &str) -> Transport {
        let identity = uri.parse().expect("an identity");
        let (issued, key) = self.authority.issue(&identity, SystemTime::now(), LEAF_LIFE).expect("a certificate");
        let wallet = Arc::new(Wallet::default());
        wallet.trust(&self.authority.certificate).expect("roots");
        wallet.hold(Credential::from_pem(&issued.pem, &key).expect("a credential"));
        Transport::mutual(wallet, Refusals::default())
    }

    /// The n-th agent of the group, in the pod `web-N` with the UID `uid-N`.
    async fn member(&self, bits: u64) -> Agent {
        self.member_as(bits, &format!("uid-{bits}")).await
    }

    async fn member_as(&self, bits: u64, uid: &str) -> Agent {
        let transport = self.transport(&format!("spiffe://td/ns/shop/group/web/pod/{uid}"));
        Agent::start_with(bits, &format!("web-{bits}"), transport).await
    }

    /// Two members that are linked.
    async fn town(&self) -> Town {
        let mut town = Town { agents: vec![self.member(1).await, self.member(2).await], number: 0 };
        let list = with_uids(town.list(&[]));
        town.agents.iter().for_each(|agent| agent.engine.take_membership_from_source(list.clone()));
        town[0].engine.start_empty();
        town.agents.iter().for_each(|agent| agent.engine.set_phase(Phase::Active));
        wait("both hold the state", || town.agents.iter().all(|agent| agent.engine.holds_state())).await;
        wait("both are linked", || town.agents.iter().all(|agent| agent.engine.links().all().len() == 1)).await;
        town
    }
}

fn with_uids(mut list: Membership) -> Membership {
    list.members.iter_mut().for_each(|row| row.pod_uid = row.pod_name.replace("web", "uid"));
    list
}

fn counted(agent: &Agent, reason: &'static str) -> u64 {
    agent.transport.refusals().counted(reason)
}

#[tokio::test]
async fn members_that_prove_who_they_are_replicate() {
    let town = Office::open().town().await;
    town[0].put("k").await;
    wait("it is replicated", || town[1].holds("k")).await;
}

#[tokio::test]
async fn a_member_with_the_certificate_of_another_pod_is_refused() {
    let office = Office::open();
    let mut town = office.town().await;
    town.agents.push(office.member_as(3, "uid-9").await);
    let list = with_uids(town.list(&[]));
    town.agents.iter().for_each(|agent| agent.engine.take_membership_from_source(list.clone()));
    let refused = || counted(&town[0], "other_certificate") + counted(&town[1], "other_certificate") > 0;
    // It has heard their hello by then.
    let never_linked = || assert!(town[2].engine.links().all().is_empty());
    wait("it is refused", || {
        never_linked();
        refused()
    })
    .await;
    never_linked();
}

#[tokio::test]
async fn the_stolen_certificate_of_a_removed_pod_lets_nobody_in_and_makes_nobody_a_member() {
    let office = Office::open();
    let mut town = office.town().await;
    // The thief has the certificate of the pod web-3, which the list does not name, and a list of its own that does.
    town.agents.push(office.member(3).await);
    let forged =
        Membership { version: MembershipVersion { uid: "u".to_owned(), number: 1_000 }, ..with_uids(town.list(&[])) };
    town[2].engine.take_membership_from_source(forged);
    wait("it is refused", || counted(&town[0], "not_listed") + counted(&town[1], "not_listed") > 0).await;
    assert!(town[2].engine.links().all().is_empty());
    assert!((0..2).all(|at| town[at].engine.membership_number() == 1), "the thief's list is not taken");
}

#[tokio::test]
async fn a_member_that_is_gone_is_refused_although_its_certificate_is_valid() {
    let office = Office::open();
    let mut town = office.town().await;
    town.agents[1].phase = MemberPhase::Gone;
    let list = with_uids(town.list(&[]));
    town[0].engine.take_membership_from_source(list);
    wait("its link ends", || town[0].engine.links().all().is_empty()).await;
    wait("it is refused", || counted(&town[0], "gone") > 0).await;
}

#[tokio::test]
async fn strangers_are_refused_and_counted() {
    let office = Office::open();
    let town = office.town().await;
    let address = town[0].address.clone();
    let mut plain = TcpStream::connect(&address).await.expect("a connection");
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
    wait("plain TCP is refused", || counted(&town[0], "no_tls") == 1).await;

    let stranger = |uri: &str, office: &Office| office.transport(uri);
    let forger = Office { authority: Office::open().authority };
    let cases = [
        ("other_group", stranger("spiffe://td/ns/shop/group/cart/pod/uid-2", &office)),
        ("other_namespace", stranger("spiffe://td/ns/stage/group/web/pod/uid-2", &office)),
        ("untrusted", stranger("spiffe://td/ns/shop/group/web/pod/uid-2", &forger)),
    ];
    for (reason, transport) in cases {
        // It trusts whoever it meets: what is looked at is the other side.
        let config = transport.trusting(&office.authority.certificate);
        let _ = baton_identity::connect(&address, config, PATIENCE).await;
        wait(reason, || counted(&town[0], reason) == 1).await;
    }
    assert_eq!(town[0].engine.links().all().len(), 1, "its member stays linked");
}
