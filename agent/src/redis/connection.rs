//! One connection: reads what has come, carries out all requests in it, and sends the replies together.
//!
//! While replies wait for acknowledgements, or for a client that does not take them, nothing more is read: what a client
//! sends meanwhile stays in the kernel, and in the end with the client.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use baton_resp::{Arguments, Decoder, Encoder, Limits};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use crate::channel::{CutOff, Delivery};
use crate::engine::{MAX_VALUE_BYTES, Owed};
use crate::redis::Front;
use crate::redis::budget::{NoRoom, Room};
use crate::redis::call::{Call, State};
use crate::redis::command::refused;
use crate::redis::failure::Failure;
use crate::redis::session::{Answers, Session, Then};
use crate::redis::table::{self, Command};
use crate::redis::transaction::Transaction;

/// What requests may be. An argument is a value at most; a request is some of the largest, or very many small ones.
const LIMITS: Limits = Limits {
    max_bulk: MAX_VALUE_BYTES as usize,
    max_arguments: 1024 * 1024,
    max_inline: 64 * 1024,
    max_request: 16 * 1024 * 1024,
};

/// The greatest reply: some of the largest values, or the names of a million keys.
pub(super) const MAX_REPLY: usize = 32 * 1024 * 1024;

/// Replies that are gathered before they are sent, unless one alone is larger.
const MAX_GATHERED: usize = 64 * 1024;

/// What is read at once, into memory that all connections of a thread share.
const READ_BYTES: usize = 64 * 1024;

/// Memory that an idle connection keeps for its next request and its reply, each.
const KEPT_BYTES: usize = 1024;

/// How long a client may send nothing of the rest of a request, or take nothing of what there is for it.
const STALL: Duration = Duration::from_secs(30);

/// How long a client that was refused may go on sending before the connection is closed, and how much.
const LINGER: Duration = Duration::from_secs(2);
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// How much of a command that there is not is shown.
const MAX_SHOWN: usize = 128;

/// What a client may do in RESP2 while it listens.
const LISTENING: [&str; 7] = ["ping", "psubscribe", "punsubscribe", "quit", "reset", "subscribe", "unsubscribe"];

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// One connection.
pub(super) struct Connection<S> {
    stream: S,
    front: Arc<Front>,
    session: Session,
    owed: Owed,
    decoder: Decoder,
    /// What has come and was not carried out.
    input: Vec<u8>,
    replies: Encoder,
    /// Replies that wait for acknowledgements.
    waiting: Vec<Waiting>,
    room: Room,
}

/// A reply that waits for acknowledgements.
struct Waiting {
    /// Where it lies.
    reply: Range<usize>,
    /// How many writes its command and those before it have made.
    marks: usize,
}

/// Why the requests that have come were not gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// There is none, or not all of one.
    Read,
    /// There are many replies, or something has to be waited for first.
    Send,
}

/// What has come to a client that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    More,
    End,
}

// === impl Connection ===

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, front: Arc<Front>, session: Session) -> Self {
        Self {
            stream,
            front,
            session,
            owed: Owed::default(),
            decoder: Decoder::new(LIMITS),
            input: Vec::new(),
            replies: Encoder::new(MAX_REPLY),
            waiting: Vec::new(),
            room: Room::default(),
        }
    }

    /// Serves the client until it ends the connection, or is cut off.
    pub(super) async fn serve(mut self) -> io::Result<()> {
        loop {
            let began = Instant::now();
            let pause = self.work();
            self.acknowledge(began).await?;
            self.send().await?;
            match self.session.then.take() {
                Some(Then::Close) => return self.close().await,
                Some(Then::Wait { members, until, answers }) => {
                    let Some(count) = self.wait(members, until).await? else { return Ok(()) };
                    if answers {
                        self.replies.begin();
                        self.replies.integer(count.into());
                    }
                    continue;
                }
                None => {}
            }
            if pause == Pause::Send {
                continue;
            }
            if self.make_room().await.is_err() {
                self.refuse("ERR Protocol error: too many large requests at once");
                continue;
            }
            if self.session.subscriber.is_some() {
                if self.listen().await? == Heard::End {
                    return Ok(());
                }
            } else if self.read().await? == 0 {
                return Ok(());
            }
        }
    }

    /// Carries out the requests that have come whole.
    fn work(&mut self) -> Pause {
        let (mut start, mut commands) = (0, 0);
        let pause = loop {
            if self.session.then.is_some() || !self.may_gather() {
                break Pause::Send;
            }
            match self.decoder.decode(&self.input[start..]) {
                Ok(Some(length)) => {
                    self.carry_out(start, length);
                    start += length;
                    commands += 1;
                }
                Ok(None) => break Pause::Read,
                Err(error) => {
                    self.refuse(&format!("ERR {error}"));
                    return Pause::Send;
                }
            }
        };
        self.front.commands.inc_by(commands);
        self.input.drain(..start);
        if self.input.is_empty() {
            self.input.shrink_to(KEPT_BYTES);
        }
        pause
    }

    /// Whether one more is carried out before what there is is answered. What waits for acknowledgements takes room as what a
    /// client does not take: where there is none, no more is added to it.
    fn may_gather(&mut self) -> bool {
        let waits = self.waiting_bytes();
        let fits = self.owed.marks().is_empty() || self.room.take(&self.front.budget, waits).is_ok();
        fits && self.replies.len() < MAX_GATHERED
    }

    fn waiting_bytes(&self) -> usize {
        self.replies.len() + self.owed.size()
    }

    /// Carries out one request, which lies there.
    fn carry_out(&mut self, start: usize, length: usize) {
        let Self { front, session, owed, decoder, replies, .. } = self;
        let arguments = decoder.arguments(&self.input[start..start + length]);
        if arguments.is_empty() {
            return;
        }
        let answers = session.answers;
        let (reply, marks) = (replies.len(), owed.marks().len());
        replies.begin();
        let result = match table::find(arguments.get(0)) {
            None => {
                spoil(session);
                Err(unknown(arguments))
            }
            Some(command) if !command.takes(arguments.len()) => {
                spoil(session);
                Err(Failure::Arity(command.name))
            }
            Some(command) if session.transaction.is_some() && Transaction::keeps(command) => {
                keep(front, session, command, arguments).map(|()| replies.simple("QUEUED"))
            }
            Some(command) if !may_run(session, replies, command) => Err(listens(command)),
            Some(command) => {
                let state = State::new(&front.engine, owed);
                (command.run)(&mut Call { command, front, state, session, arguments, reply: replies })
            }
        };
        if let Err(failure) = result {
            replies.take_back();
            replies.error(&failure.to_string());
        }
        if replies.end().is_err() {
            replies.error(&Failure::ReplyTooLarge.to_string());
        }
        if session.answers == Answers::None || answers == Answers::AllButNext {
            replies.take_back();
        }
        if answers == Answers::AllButNext {
            session.answers = Answers::All;
        }
        if owed.marks().len() > marks {
            self.waiting.push(Waiting { reply: reply..replies.len(), marks: owed.marks().len() });
        }
    }

    /// Waits for the acknowledgements of what was written. A reply whose writes do not get them in time becomes an error.
    async fn acknowledge(&mut self, began: Instant) -> io::Result<()> {
        if self.owed.marks().is_empty() {
            return Ok(());
        }
        let engine = &self.front.engine;
        let mut failures = Vec::new();
        if self.owed.any_wanted() {
            let waits = self.waiting_bytes();
            if waits > MAX_GATHERED {
                self.room.take(&self.front.budget, waits).map_err(|NoRoom| io::ErrorKind::OutOfMemory)?;
            }
            engine.acknowledge(&self.owed).await;
            let marks = self.owed.marks().iter().enumerate();
            failures.extend(marks.filter_map(|(at, mark)| Some((at, engine.check_acknowledged(mark).err()?))));
        }
        let mut first = 0;
        let failed = self.waiting.drain(..).filter_map(|Waiting { reply, marks }| {
            let own = std::mem::replace(&mut first, marks)..marks;
            let (_, failure) = failures.iter().find(|(at, _)| own.contains(at))?;
            (!reply.is_empty()).then(|| (reply, Failure::from(failure.clone())))
        });
        let failed: Vec<_> = failed.collect();
        // From the last on, so that those before stay where they are.
        for (reply, failure) in failed.into_iter().rev() {
            self.replies.replace(reply, &failure.to_string());
        }
        engine.settle_owed(&mut self.owed, &failures, began);
        Ok(())
    }

    /// Sends all replies.
    async fn send(&mut self) -> io::Result<()> {
        while !self.replies.is_empty() {
            let Self { stream, replies, room, front, .. } = &mut *self;
            // Nearly always the kernel takes all of it at once, and no timer is needed.
            let sent = match poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_write(cx, replies.bytes()))).await {
                Poll::Ready(sent) => sent?,
                Poll::Pending => {
                    room.take(&front.budget, replies.len()).map_err(|NoRoom| io::ErrorKind::OutOfMemory)?;
                    let write = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, replies.bytes()));
                    timeout(STALL, write).await.map_err(|_| io::ErrorKind::TimedOut)??
                }
            };
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            replies.sent(sent, KEPT_BYTES);
        }
        Ok(())
    }

    /// Takes room for the rest of a large request before it comes, so that those that come together do not wait for each
    /// other's rest.
    async fn make_room(&mut self) -> Result<(), NoRoom> {
        if !self.decoder.is_within() {
            self.room.give_back();
            return Ok(());
        }
        let missing = self.decoder.expected().saturating_sub(self.input.len());
        self.room.reserve(&self.front.budget, self.input.len() + missing).await?;
        self.input.reserve_exact(missing);
        Ok(())
    }

    /// Waits for more; 0 bytes are the end.
    async fn read(&mut self) -> io::Result<usize> {
        let read = read(&mut self.stream, &mut self.input);
        if !self.decoder.is_within() {
            return read.await;
        }
        timeout(STALL, read).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Waits for more, or for a message of a channel, whichever comes first. One that has left too many messages unread is
    /// cut off.
    async fn listen(&mut self) -> io::Result<Heard> {
        let Self { stream, session, input, replies, .. } = self;
        let Some(subscriber) = &session.subscriber else { return Ok(Heard::More) };
        let mut next = tokio::select! {
            read = read(stream, input) => return Ok(if read? == 0 { Heard::End } else { Heard::More }),
            next = subscriber.next() => next.map(Some),
        };
        while let Some(delivery) = next.map_err(|CutOff| io::ErrorKind::TimedOut)? {
            show(replies, &delivery);
            if replies.len() >= MAX_GATHERED {
                break;
            }
            next = subscriber.try_next();
        }
        Ok(Heard::More)
    }

    /// Waits until so many members have what this connection wrote, or to a time; `None` if the client goes meanwhile.
    async fn wait(&mut self, members: u32, until: tokio::time::Instant) -> io::Result<Option<u32>> {
        let Self { stream, input, owed, front, .. } = self;
        let mut count = pin!(front.engine.wait_for_members(owed, members, until));
        loop {
            tokio::select! {
                biased;
                count = &mut count => return Ok(Some(count)),
                read = read(stream, input), if input.len() < READ_BYTES => if read? == 0 { return Ok(None) },
            }
        }
    }

    /// Ends the connection because of what the client sent, and says why.
    fn refuse(&mut self, error: &str) {
        self.replies.begin();
        self.replies.error(error);
        self.input = Vec::new();
        self.session.then = Some(Then::Close);
    }

    /// Lets the client read the last reply: if the connection were closed with something of the client's unread, the
    /// kernel would throw the reply away.
    async fn close(mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut left = MAX_DISCARDED;
        let discard = async {
            loop {
                self.input.clear();
                match read(&mut self.stream, &mut self.input).await? {
                    0 => return Ok(()),
                    more if more > left => return Ok(()),
                    more => left -= more,
                }
            }
        };
        timeout(LINGER, discard).await.unwrap_or(Ok(()))
    }
}

/// Appends what has come.
async fn read<S: AsyncRead + Unpin>(stream: &mut S, input: &mut Vec<u8>) -> io::Result<usize> {
    poll_fn(|cx| {
        READ.with_borrow_mut(|memory| {
            let mut buffer = ReadBuf::new(memory);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            input.extend_from_slice(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    })
    .await
}

/// Keeps a command for EXEC.
fn keep(
    front: &Front,
    session: &mut Session,
    command: &'static Command,
    arguments: Arguments<'_>,
) -> Result<(), Failure> {
    let Some(transaction) = &mut session.transaction else { return Ok(()) };
    let kept = transaction.push(front, command, arguments);
    if kept.is_err() {
        transaction.spoil();
    }
    kept
}

/// A command was refused before it was carried out: a transaction does not go on without it.
fn spoil(session: &mut Session) {
    if let Some(transaction) = &mut session.transaction {
        transaction.spoil();
    }
}

/// Whether a client may do something while it listens: in RESP2 a reply could not be told from a message.
fn may_run(session: &Session, replies: &Encoder, command: &Command) -> bool {
    let listens = session.subscriber.as_ref().is_some_and(|subscriber| subscriber.count() > 0);
    !listens || replies.is_resp3() || LISTENING.contains(&command.name)
}

fn listens(command: &Command) -> Failure {
    let allowed = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
    Failure::Text(format!("ERR Can't execute '{}': {allowed}", command.name).into())
}

/// Writes a message of a channel.
fn show(replies: &mut Encoder, Delivery { pattern, message }: &Delivery) {
    replies.begin();
    match pattern {
        Some(pattern) => {
            replies.push(4);
            replies.bulk(b"pmessage");
            replies.bulk(pattern);
        }
        None => {
            replies.push(3);
            replies.bulk(b"message");
        }
    }
    replies.bulk(&message.channel);
    replies.bulk(&message.payload);
}

/// What is said of a command that there is not.
fn unknown(arguments: Arguments<'_>) -> Failure {
    let shown = |text: &[u8]| text[..text.len().min(MAX_SHOWN)].escape_ascii().to_string();
    if let Some(reason) = refused::reason(arguments.get(0)) {
        let name = shown(arguments.get(0)).to_uppercase();
        return Failure::Text(format!("ERR {name} is not supported: {reason}").into());
    }
    let mut text = format!("ERR unknown command '{}', with args beginning with: ", shown(arguments.get(0)));
    for argument in arguments.from(1).take(3) {
        text.push_str(&format!("'{}' ", shown(argument)));
    }
    Failure::Text(text.into())
}
