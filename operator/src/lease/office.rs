//! Who holds the lease, as the tasks of this process are told.

use tokio::sync::watch;

/// Who holds the lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Holder {
    /// Nobody, as far as this process knows.
    #[default]
    Nobody,
    /// This process.
    Own(Term),
    /// Another operator.
    Other {
        /// Its name.
        name: String,
        /// Where it is reached, if it says so.
        address: Option<String>,
    },
}

/// One time in office: a process that loses the lease and takes it again is in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term(pub u64);

/// Tells who holds the lease.
#[derive(Clone, Debug)]
pub struct Office(watch::Receiver<Holder>);

// === impl Office ===

impl Office {
    /// Follows what this sender says.
    pub fn of(holder: &watch::Sender<Holder>) -> Self {
        Self(holder.subscribe())
    }

    /// This process's term, if it holds the lease.
    pub fn term(&self) -> Option<Term> {
        match &*self.0.borrow() {
            Holder::Own(term) => Some(*term),
            Holder::Nobody | Holder::Other { .. } => None,
        }
    }

    /// Where the other operator is reached that holds the lease.
    pub fn other(&self) -> Option<String> {
        match &*self.0.borrow() {
            Holder::Other { address, .. } => address.clone(),
            Holder::Nobody | Holder::Own(_) => None,
        }
    }

    /// Whether another operator holds the lease.
    pub fn is_other(&self) -> bool {
        matches!(&*self.0.borrow(), Holder::Other { .. })
    }

    /// Waits until this process holds the lease.
    pub async fn elected(&mut self) -> Term {
        loop {
            if let Some(term) = self.term() {
                return term;
            }
            self.changed().await;
        }
    }

    /// Waits until this term is over.
    pub async fn ended(&mut self, term: Term) {
        while self.term() == Some(term) {
            self.changed().await;
        }
    }

    /// Waits for news.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody stands for election any more: the process ends.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
impl Office {
    /// In office for ever, or never.
    pub(crate) fn always(held: bool) -> Self {
        let holder = if held { Holder::Own(Term(1)) } else { Holder::Nobody };
        Self(watch::channel(holder).1)
    }
}
