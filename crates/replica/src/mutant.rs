//! Wrong protocols on purpose: each mutant breaks one rule, and the simulation must notice.
//!
//! Without the feature `mutants` no rule can be broken: [`active`] is a constant. With it, one mutant at a time is at
//! work in a thread, between the beginning and the end of `with`.

macro_rules! mutants {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// One broken rule.
        #[cfg_attr(not(feature = "mutants"), expect(unreachable_pub, reason = "seen from outside with the feature"))]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            $($(#[doc = $doc])+ $name,)+
        }

        #[cfg(feature = "mutants")]
        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// What it does, in a sentence.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc,)+).trim_ascii(),)+
                }
            }
        }
    };
}

mutants! {
    /// The clock of a full-state transfer is joined with the first chunk.
    ClockWithFirstChunk,
    /// A range leaves out keys that were written again later.
    LogCompacted,
    /// A sender takes what it sent as acknowledged.
    AckBySending,
    /// A range is answered when it arrives, whether it is applied or not, and any answer acknowledges all that was written.
    AckByReceipt,
    /// A range is claimed although something is missing below it.
    ClaimOverGap,
    /// A range claims one dot more than it carries.
    RangeClaimsOneMore,
    /// A put forgets what it has superseded.
    PutDropsContext,
    /// A put forgets who owns what it replaces.
    PutDropsOwner,
    /// A delete forgets what it has superseded.
    DeleteDropsContext,
    /// A delete leaves its own dot out of the context.
    DeleteWithoutOwnDot,
    /// An arriving version is added though the clock covers it: it was deleted.
    JoinPastClock,
    /// An arriving version is added though the entry's context covers it: it was superseded.
    JoinPastContext,
    /// An owner that arrives for a version which is here already is not taken.
    OwnerNotJoined,
    /// A chunk deletes what the sender has never seen.
    AbsentIsDeleted,
    /// What a full-state transfer leaves out is kept though the sender has seen it deleted.
    AbsentIsKept,
    /// Contexts and tombstones are purged while a member that joins takes the state, and without word of it.
    PurgeWithoutJoiner,
    /// Contexts and tombstones are purged while a member cannot be reached, and without word of it.
    PurgeWithoutUnreachable,
    /// A context is purged when its own dots are stable, whatever the versions beside it are.
    PurgePastVersions,
    /// Contexts and tombstones stay, whoever has seen them.
    TombstonesStay,
    /// After a full-state transfer the log pretends to reach below it.
    LogOverTransfer,
    /// A transfer whose link is gone is waited for.
    TransferOutlivesLink,
    /// What a transfer has brought before it broke off is not looked for above the clock of the next one.
    TornTransferForgotten,
    /// Members that are leaving count as survivors.
    LeavingPeerCounted,
    /// Two leavers count each other's acknowledgements.
    LeaversCountEachOther,
    /// Acknowledgements from before the departure was heard of count for it.
    OldAckCounted,
    /// An origin counts as cover for its own dots.
    OriginCoversItself,
    /// A hook counts what was acknowledged before it was called.
    AnswerReused,
    /// A stopped process counts what was acknowledged before it was sealed.
    AnswerOutlivesSeal,
    /// A survivor whose link is down counts for a handoff.
    UnlinkedGiverCounted,
    /// With no survivor everything counts as handed off.
    NobodyCovers,
    /// A handoff is content with fewer holders than the writes had asked for.
    HandoffForgetsLevel,
    /// A handoff looks at the leaver's own writes only.
    HandoffOfOwnWrites,
    /// A sealed replica goes on applying and acknowledging.
    SealTakesData,
    /// A stopped process ends on what was covered before it was sealed.
    ExitBeforeSeal,
    /// A hook returns on what an earlier one had waited for.
    HookBeforeWatermark,
    /// A departure whose time is up is reported as acknowledged.
    DeadlineIsSuccess,
    /// The writes of a replica that is gone are asked of nobody.
    GapsOfTheDeadStay,
    /// What is held above the clock of a replica that is gone is not said when it is settled.
    SettleWithoutExceptions,
    /// A replica that is gone is settled without word of members that join.
    SettleWithoutJoiners,
    /// A replica that is gone is settled without word of anybody.
    SettleAlone,
    /// A repair takes what the other side lacks as deleted.
    RepairByAbsence,
    /// A repair leaves out what the clock covers.
    RepairByClock,
    /// A default overwrites what is there, as a put would.
    InitOverwrites,
    /// A take leaves its own dot out of the context.
    TakeWithoutOwnDot,
    /// A new deadline makes a value as new as a put.
    TouchIsNewer,
    /// What retired replicas have added is taken over by any member.
    CounterAbsorbedByYounger,
    /// What living replicas have added is taken over.
    CounterAbsorbsTheLiving,
    /// A fencing token is the time, whatever was given before.
    TokenReused,
    /// The adopter of a key is chosen among all that were ever listed.
    AdopterFromStaleList,
    /// An adopter goes on under the token of the owner before it.
    AdopterKeepsToken,
    /// A claim that meets a put is forgotten.
    ClaimLosesToPut,
    /// A confirmation that meets a put is forgotten.
    ConfirmationLosesToPut,
    /// Everybody who finds an owner departed takes its keys over.
    EverybodyAdopts,
    /// A token that another came after is as good as that one.
    EarlierTokenHolds,
    /// A hook waits for no owner, whatever its group asks for.
    HoldForgetsOwners,
    /// A hook takes an adoption for the word of the adopter's app.
    AdoptionConfirms,
    /// A leaver that says an adoption again forgets that the adopter's app has not confirmed it.
    SayingAgainConfirms,
    /// Ranges end inside batches.
    BatchTorn,
    /// What was held under a former id is issued again as new writes.
    ReissueAsNew,
    /// What is issued again forgets what it had superseded.
    ReissueWithoutContext,
    /// What is issued again gets new dots.
    ReissueRenamed,
    /// Who was removed settles others, and lets its former id be forgotten, before all is issued again and spread.
    ReissueSettlesEarly,
    /// What is issued again supersedes all that is there, whether it was known under the former id or not.
    ReissueBuriesOthers,
    /// What is here already is not issued again, though no clock may cover it.
    ReissueOfMissingOnly,
    /// Operations do not wait for what is to be issued again.
    ReissueHoldsUpNothing,
    /// A handoff counts members that lack the state of a founder.
    StrangersCounted,
    /// A state of other founders is taken to have all that retired replicas wrote.
    StrangersKnowAll,
    /// The list of another source retires nobody, whatever it comes after.
    AnotherSourceKeeps,
    /// The list of another source retires whomever it does not name, whether it comes after the one that did or not.
    AnotherSourceRetires,
    /// Retired replicas stay in the clock.
    RetiredStayInClock,
    /// What has expired leaves no context.
    ExpiryWithoutContext,
    /// Of concurrent values the one with the greatest dot wins, whenever it was written.
    WinnerByDot,
    /// What has expired is shown until it is dropped.
    ExpiredIsShown,
    /// A condition that the key has no value, or has one, holds of any key.
    ConditionHolds,
    /// A compare-and-set takes any value for the one that was read.
    AnyTagMatches,
    /// A claim of what nobody owns takes it from whoever owns it.
    OwnedIsUnowned,
    /// A batch is made whatever its conditions are.
    BatchIgnoresConditions,
    /// A majority is half of the others, rounded down.
    MajorityIsHalf,
    /// A write that asks for all is content with one less.
    AllButOne,
    /// Members whose links are down are none, to a write that asks for so many of them.
    QuorumOfTheLinked,
    /// Nobody hears from a peer how many acknowledgements its writes have asked for.
    LevelStaysHere,
    /// Nobody hears from a peer which tokens were given for keys that are no more.
    TokensStayHere,
    /// A write is accepted while there is no other member, whatever the group says.
    AloneIsAccepted,
    /// A leaver answers a write that asks for no acknowledgement without any.
    TailForgetsAcks,
    /// A handoff is content with one survivor, however many the group asks for.
    HandoffForgetsAcks,
    /// What is to be issued again is no part of what is handed off.
    HandoffForgetsInherited,
    /// What a person has given up ends as acknowledged.
    ReleaseIsSuccess,
    /// Members of any revision adopt, and not the newest alone.
    AdopterOfAnyRevision,
    /// Members on the node of the departed owner adopt as others do.
    AdopterBeside,
    /// Members without an app adopt.
    KeeperAdopts,
    /// A new process in the pod of a departed owner comes no sooner than others.
    HeirIsPassedOver,
    /// An adopter gives the key to nobody.
    AdopterTakesNothing,
    /// A replica that is gone is settled by who has heard everybody, and not pulled what the furthest has.
    SettleWithoutPull,
    /// Whoever finds that a peer holds something else says nothing and does nothing about it.
    DigestsAgree,
    /// States are compared while something is held above the clock.
    DigestOverExceptions,
    /// States are compared that have not seen the same.
    DigestAcrossClocks,
    /// A range is taken although it does not carry what it claims.
    TornRangeTaken,
    /// A chunk ends when its bytes are enough, however much its receiver unpacks of them.
    ChunkUnpacksToMore,
    /// A chunk is taken although it is out of order.
    TornChunkTaken,
    /// What claims or holds writes of the receiver that it has not made is taken.
    FutureTaken,
    /// What comes on a link that was replaced is taken.
    OldLinkTaken,
    /// What comes from a member that is gone is taken.
    GoneSenderTaken,
    /// What was sent ahead of a range is taken to be there on the next link.
    AheadOutlivesLink,
    /// What was sent ahead of a range is taken to have what was written later.
    AheadOfLaterWrites,
    /// One entry more is taken to be sent ahead of a range than was sent.
    AheadSkipsOne,
    /// No acknowledgement counts for a handoff.
    NobodyCounts,
    /// No write ever has an acknowledgement.
    NobodyAnswers,
    /// The timer drops nothing that has expired.
    TimerDropsNothing,
    /// Watchers hear of no change of a key that nobody owns.
    UnownedChangesUntold,
}

/// Whether this mutant is at work in this thread.
#[cfg(feature = "mutants")]
pub(crate) fn active(mutant: Mutant) -> bool {
    switch::ACTIVE.get() == Some(mutant)
}

/// Whether a rule is broken: none is.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn active(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use switch::with;

#[cfg(feature = "mutants")]
mod switch {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        pub(super) static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Runs something in this thread while a mutant, or none, is at work.
    pub fn with<R>(mutant: Option<Mutant>, run: impl FnOnce() -> R) -> R {
        let restore = Restore(ACTIVE.replace(mutant));
        let result = run();
        drop(restore);
        result
    }

    /// Puts back what was at work before, after a panic too.
    struct Restore(Option<Mutant>);

    impl Drop for Restore {
        fn drop(&mut self) {
            ACTIVE.set(self.0);
        }
    }
}
