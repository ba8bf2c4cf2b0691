//! What one socket has still to be told.
//!
//! Pushing never waits: what the socket does not take now stays here. Two lanes, because what is urgent must
//! not queue behind seconds of speech. Control goes first; a message whose place among the audio matters (a
//! mark) rides with the audio. Each lane has a limit, and what happens there is the owner's choice: a hole in
//! the agent's sentence is worse than a lost call, the caller's voice of three seconds ago is worth nothing.

use std::{
    collections::VecDeque,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::Sink;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message},
};

#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    control: VecDeque<Message>,
    control_bytes: usize,
    audio: VecDeque<(Message, Duration)>,
    audio_time: Duration,
    audio_bytes: usize,
    /// The socket has messages that it has not written yet.
    unflushed: bool,
    dropped: u64,
    high_water: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub audio_time: Duration,
    pub audio_bytes: usize,
    pub control_bytes: usize,
    pub when_full: WhenFull,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    DropOldest,
    Refuse,
}

impl Limits {
    /// Carriers buffer minutes, so what waits here waits because they do not read. A reply can come in one
    /// go, though: two minutes are longer than any.
    pub const CARRIER: Self = Self {
        audio_time: Duration::from_secs(120),
        audio_bytes: 2 << 20,
        control_bytes: 64 << 10,
        when_full: WhenFull::Refuse,
    };

    /// Three seconds of the caller's voice, as much as is held while a leg connects.
    pub const PROVIDER: Self = Self {
        audio_time: Duration::from_secs(3),
        audio_bytes: 256 << 10,
        control_bytes: 512 << 10,
        when_full: WhenFull::DropOldest,
    };
}

/// There is no room, and nothing here may be left out: the other side has stopped reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side does not read what we send")]
pub struct Full;

impl Outbox {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            control: VecDeque::new(),
            control_bytes: 0,
            audio: VecDeque::new(),
            audio_time: Duration::ZERO,
            audio_bytes: 0,
            unflushed: false,
            dropped: 0,
            high_water: 0,
        }
    }

    /// Goes out before all audio.
    pub fn push_control(&mut self, message: Message) -> Result<(), Full> {
        if self.control_bytes + message.len() > self.limits.control_bytes {
            return Err(Full);
        }
        self.control_bytes += message.len();
        self.control.push_back(message);
        self.note_high_water();
        Ok(())
    }

    /// Goes out before all audio as well, but is left out where it would take room from what must go out.
    pub fn push_if_room(&mut self, message: Message) {
        if self.control_bytes + message.len() <= self.limits.control_bytes / 2 {
            self.push_control(message).ok();
        }
    }

    /// Goes out in order with the other audio; it plays for so long, or is a word about the audio before it.
    pub fn push_audio(&mut self, message: Message, time: Duration) -> Result<(), Full> {
        self.audio_time += time;
        self.audio_bytes += message.len();
        self.audio.push_back((message, time));
        while self.audio_time > self.limits.audio_time || self.audio_bytes > self.limits.audio_bytes {
            // A message without sound says something about the sound around it, and must arrive.
            let oldest = self.audio.iter().position(|(_, time)| !time.is_zero());
            let (WhenFull::DropOldest, Some(oldest)) = (self.limits.when_full, oldest) else {
                return Err(Full);
            };
            self.drop_audio(oldest);
            self.dropped += 1;
        }
        self.note_high_water();
        Ok(())
    }

    /// What was not sent yet is not sent any more.
    pub fn clear_audio(&mut self) {
        self.audio.clear();
        self.audio_time = Duration::ZERO;
        self.audio_bytes = 0;
    }

    /// Writes what the socket takes now, without waiting. `Ready` when everything is out.
    pub fn poll_flush<S>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut WebSocketStream<S>,
    ) -> Poll<Result<(), tungstenite::Error>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut socket = std::pin::Pin::new(socket);
        while !self.control.is_empty() || !self.audio.is_empty() {
            ready!(socket.as_mut().poll_ready(cx))?;
            let Some(message) = self.pop_control().or_else(|| self.pop_audio()) else { break };
            socket.as_mut().start_send(message)?;
            self.unflushed = true;
        }
        // Also without messages of ours: the socket answers pings by itself, when it is flushed.
        ready!(socket.poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    pub fn is_empty(&self) -> bool {
        self.control.is_empty() && self.audio.is_empty() && !self.unflushed
    }

    /// Audio messages that were left out because the other side was slow.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The most that ever waited here, in bytes.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    fn pop_control(&mut self) -> Option<Message> {
        let message = self.control.pop_front()?;
        self.control_bytes -= message.len();
        Some(message)
    }

    fn pop_audio(&mut self) -> Option<Message> {
        let (message, time) = self.audio.pop_front()?;
        self.audio_time -= time;
        self.audio_bytes -= message.len();
        Some(message)
    }

    fn drop_audio(&mut self, at: usize) {
        if let Some((message, time)) = self.audio.remove(at) {
            self.audio_time -= time;
            self.audio_bytes -= message.len();
        }
    }

    fn note_high_water(&mut self) {
        self.high_water = self.high_water.max(self.control_bytes + self.audio_bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::StreamExt;
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn text(text: &str) -> Message {
        Message::text(text)
    }

    async fn pair(pipe: usize) -> (WebSocketStream<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (near, far) = duplex(pipe);
        let config = WebSocketConfig::default().write_buffer_size(0);
        let near = WebSocketStream::from_raw_socket(near, Role::Server, Some(config)).await;
        (near, WebSocketStream::from_raw_socket(far, Role::Client, None).await)
    }

    async fn flush(outbox: &mut Outbox, socket: &mut WebSocketStream<DuplexStream>) -> bool {
        poll_fn(|cx| Poll::Ready(outbox.poll_flush(cx, socket))).await.is_ready()
    }

    #[tokio::test]
    async fn what_the_socket_does_not_take_waits_and_arrives_in_order() {
        let (mut near, mut far) = pair(64).await;
        let mut outbox = Outbox::new(Limits::CARRIER);
        for i in 0..100 {
            outbox.push_audio(text(&format!("audio {i}")), FRAME).unwrap();
        }
        assert!(!flush(&mut outbox, &mut near).await, "64 bytes do not take a hundred messages");
        let reader = tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < 100 {
                seen.push(far.next().await.unwrap().unwrap().into_text().unwrap().to_string());
            }
            seen
        });
        poll_fn(|cx| outbox.poll_flush(cx, &mut near)).await.unwrap();
        assert!(outbox.is_empty());
        let expected: Vec<_> = (0..100).map(|i| format!("audio {i}")).collect();
        assert_eq!(reader.await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_clear_overtakes_the_audio_that_waits_and_nothing_stale_follows_it() {
        let (mut near, mut far) = pair(64).await;
        let mut outbox = Outbox::new(Limits::CARRIER);
        for _ in 0..50 {
            outbox.push_audio(text("stale audio"), FRAME).unwrap();
        }
        assert!(!flush(&mut outbox, &mut near).await);
        outbox.clear_audio();
        outbox.push_control(text("clear")).unwrap();
        outbox.push_audio(text("fresh audio"), FRAME).unwrap();
        let reader = tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.last().is_none_or(|last| last != "fresh audio") {
                seen.push(far.next().await.unwrap().unwrap().into_text().unwrap().to_string());
            }
            seen
        });
        poll_fn(|cx| outbox.poll_flush(cx, &mut near)).await.unwrap();
        let seen = reader.await.unwrap();
        let clear = seen.iter().position(|text| text == "clear").unwrap();
        assert!(clear < 10, "only what the socket already had came before it: {seen:?}");
        assert_eq!(seen[clear..], ["clear", "fresh audio"]);
    }

    #[test]
    fn the_callers_old_voice_gives_way_to_the_new() {
        let mut outbox = Outbox::new(Limits::PROVIDER);
        for i in 0..200 {
            outbox.push_audio(text(&i.to_string()), FRAME).unwrap();
        }
        assert_eq!(outbox.dropped(), 50);
        assert_eq!(outbox.audio_time, Duration::from_secs(3));
        assert_eq!(outbox.pop_audio(), Some(text("50")));
    }

    #[test]
    fn a_word_about_the_audio_keeps_its_place_and_is_not_dropped() {
        let mut outbox = Outbox::new(Limits::PROVIDER);
        outbox.push_audio(text("old"), FRAME).unwrap();
        outbox.push_audio(text("turn ends"), Duration::ZERO).unwrap();
        for i in 0..200 {
            outbox.push_audio(text(&i.to_string()), FRAME).unwrap();
        }
        assert_eq!(outbox.pop_audio(), Some(text("turn ends")));
        assert_eq!(outbox.pop_audio(), Some(text("50")));
        outbox.clear_audio();
        let pushed =
            (0..).take_while(|_| outbox.push_audio(text("turn ends"), Duration::ZERO).is_ok()).count();
        assert!(pushed * 9 <= 256 << 10, "but not without end");
    }

    #[test]
    fn the_agents_sentence_gets_no_holes() {
        let mut outbox = Outbox::new(Limits::CARRIER);
        let pushed = (0..).take_while(|_| outbox.push_audio(text("x"), FRAME).is_ok()).count();
        assert_eq!(pushed, 6_000);
        assert_eq!(outbox.dropped(), 0);
    }

    #[test]
    fn news_leaves_room_for_what_must_go_out() {
        let mut outbox = Outbox::new(Limits::CARRIER);
        (0..100_000).for_each(|_| outbox.push_if_room(text("news")));
        assert_eq!(outbox.high_water(), 32 << 10);
        outbox.push_control(text("clear")).unwrap();
    }

    #[test]
    fn a_peer_that_never_reads_does_not_fill_the_memory_with_commands() {
        let mut outbox = Outbox::new(Limits::CARRIER);
        let pushed = (0..).take_while(|_| outbox.push_control(text("clear")).is_ok()).count();
        assert_eq!(pushed * 5, (64 << 10) / 5 * 5);
        assert_eq!(outbox.high_water(), pushed * 5);
    }
}
