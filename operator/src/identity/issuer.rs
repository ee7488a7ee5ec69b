//! What the operator signs with, and what it is trusted by.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_identity::{
    AuthorityError, Credential, CredentialError, Identity, Issued, Keyring, LEAF_LIFE, Member, TrustDomain, Wallet,
};
use parking_lot::Mutex;
use tokio::sync::watch;

/// The CAs in use, and the operator's own certificate of them.
#[derive(Debug)]
pub struct Issuer {
    domain: TrustDomain,
    wallet: Arc<Wallet>,
    office: Mutex<Office>,
    roots: watch::Sender<Arc<str>>,
}

#[derive(Debug, Default)]
struct Office {
    keyring: Keyring,
    own: Option<Own>,
}

/// The operator's own certificate.
#[derive(Debug)]
struct Own {
    signer: String,
    ends: SystemTime,
}

/// A certificate could not be made or used; what there was before stays.
#[derive(Debug, thiserror::Error)]
pub(super) enum IssueError {
    /// There is no CA yet.
    #[error("the operator has no CA yet")]
    NoAuthority,
    /// The request makes no sense, or signing failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The operator's own certificate cannot be used.
    #[error("the operator's own certificate: {0}")]
    Credential(#[from] CredentialError),
}

// === impl Issuer ===

impl Issuer {
    /// Without a CA yet.
    pub fn new(domain: TrustDomain) -> Arc<Self> {
        let roots = watch::Sender::new(Arc::from(""));
        Arc::new(Self { domain, wallet: Arc::default(), office: Mutex::default(), roots })
    }

    /// What the operator shows and trusts.
    pub fn wallet(&self) -> &Arc<Wallet> {
        &self.wallet
    }

    /// Whether there is a CA, and a certificate of the operator by it.
    pub fn is_in_office(&self) -> bool {
        self.wallet.identity().is_some()
    }

    /// The CAs that are to be trusted, in PEM; empty while there is none.
    pub fn roots(&self) -> watch::Receiver<Arc<str>> {
        self.roots.subscribe()
    }

    /// The CAs as they were last taken.
    pub(super) fn keyring(&self) -> Keyring {
        self.office.lock().keyring.clone()
    }

    /// Signs by these CAs from now on, and renews the operator's own certificate if it is time.
    pub(super) fn take(&self, keyring: Keyring, now: SystemTime) -> Result<(), IssueError> {
        let signer = keyring.signer(now).ok_or(IssueError::NoAuthority)?;
        let mut office = self.office.lock();
        let roots = keyring.roots();
        self.wallet.trust(&roots)?;
        office.keyring = keyring;
        let holds = |own: &Own| own.signer == signer.certificate && now + LEAF_LIFE / 2 < own.ends;
        if !office.own.as_ref().is_some_and(holds) {
            let (issued, key) = signer.issue(&Identity::Operator(self.domain.clone()), now, LEAF_LIFE)?;
            self.wallet.hold(Credential::from_pem(&issued.pem, &key)?);
            office.own = Some(Own { signer: signer.certificate, ends: issued.ends });
        }
        self.roots.send_if_modified(|told| {
            let news = **told != *roots;
            if news {
                *told = roots.into();
            }
            news
        });
        Ok(())
    }

    /// Signs the request of a member; answers for how long, too.
    pub(super) fn sign(
        &self,
        request: &[u8],
        member: Member,
        now: SystemTime,
    ) -> Result<(Issued, Duration), IssueError> {
        let signer = self.office.lock().keyring.signer(now).ok_or(IssueError::NoAuthority)?;
        let issued = signer.sign(request, &Identity::Member(self.domain.clone(), member), now, LEAF_LIFE)?;
        let valid = issued.ends.duration_since(now).unwrap_or_default();
        Ok((issued, valid))
    }
}
