//! What does a relay tell a phone of its own call, besides its sound? News, where the phone asked for them.
//!
//! They come between the carrier's messages, on a relay that has the browser phone switched on, and carry the words of
//! both sides, waits, cuts and tools. A phone that did not ask counts them as a violation, as any carrier would.

use super::PhoneOptions;
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::mpsc, time::Instant};

/// News that wait for whoever asked. Some tens come each second; who reads none for so long misses the newest.
const MOST: usize = 1_024;

/// Each of the news, with the moment when it came.
pub type News = (Instant, Value);

#[derive(Deserialize)]
struct Frame {
    event: String,
    news: Value,
}

impl PhoneOptions {
    /// Asks the relay for news of this call, and hands them on.
    pub fn with_news(mut self) -> (Self, mpsc::Receiver<News>) {
        let (tell, news) = mpsc::channel(MOST);
        // The door wants exactly this query.
        let bare = self.url.split('?').next().unwrap_or_default();
        self.url = format!("{bare}?news=1");
        (self.keep_query, self.news) = (true, Some(tell));
        (self, news)
    }
}

/// Takes a message if it is news that somebody asked for.
pub(super) fn take(tell: Option<&mpsc::Sender<News>>, now: Instant, text: &str) -> bool {
    let Some(tell) = tell.filter(|_| text.starts_with(r#"{"event":"news""#)) else { return false };
    let Ok(Frame { event, news }) = serde_json::from_str(text) else { return false };
    if event == "news" {
        // Nobody may be listening any more, or too slowly; the call goes on.
        let _ = tell.try_send((now, news));
    }
    event == "news"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn news_are_handed_on_to_who_asked_and_are_a_strangers_message_to_who_did_not() {
        let options = PhoneOptions::new("wss://relay.example.com/stream/browser?token=x");
        let (options, mut news) = options.with_news();
        assert_eq!(options.url, "wss://relay.example.com/stream/browser?news=1");
        let text = r#"{"event":"news","streamSid":"MZ1","news":{"kind":"live"}}"#;
        let now = Instant::now();
        assert!(take(options.news.as_ref(), now, text));
        assert_eq!(news.try_recv().unwrap().1, json!({ "kind": "live" }));
        assert!(!take(None, now, text));
        for other in
            [r#"{"event":"media","streamSid":"MZ1"}"#, r#"{"event":"news","streamSid":"MZ1"}"#, "{", ""]
        {
            assert!(!take(options.news.as_ref(), now, other), "{other}");
        }
    }

    #[test]
    fn who_does_not_read_them_does_not_fill_the_memory() {
        let (options, mut news) = PhoneOptions::new("ws://a").with_news();
        let text = r#"{"event":"news","news":{"kind":"idle"}}"#;
        for _ in 0..MOST + 10 {
            assert!(take(options.news.as_ref(), Instant::now(), text));
        }
        assert_eq!(std::iter::from_fn(|| news.try_recv().ok()).count(), MOST);
    }
}
