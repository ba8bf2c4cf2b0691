//! How a finished recording reaches its storage: one PUT, tried again while that can help.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use reqwest::{
    Client, Url,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Trouble, recorder::blocking, tape::Wav};
use crate::outward::address::Forbidden;

/// With the number of attempts.
pub(super) async fn upload(
    client: &Client,
    url: &Url,
    wav: &Wav,
    disk: &Arc<Semaphore>,
    hurry: &CancellationToken,
) -> (u32, Result<(), Trouble>) {
    let start = Instant::now();
    let mut pauses = PAUSES.into_iter().chain(std::iter::repeat(LONGEST_PAUSE));
    for attempt in 1.. {
        let trouble = tokio::select! {
            end = put(client, url, wav, disk) => match end {
                Ok(()) => return (attempt, Ok(())),
                Err(trouble) => trouble,
            },
            () = hurry.cancelled() => return (attempt, Err(Trouble::Stopped)),
        };
        if !may_pass(&trouble) || start.elapsed() >= PATIENCE {
            return (attempt, Err(trouble));
        }
        tokio::select! {
            () = sleep(pauses.next().unwrap_or(LONGEST_PAUSE)) => {}
            () = hurry.cancelled() => return (attempt, Err(trouble)),
        }
    }
    unreachable!("attempts end with the patience, long before their number does")
}

/// Whether the same again could end otherwise.
fn may_pass(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Unavailable(_) | Trouble::Unreachable | Trouble::NoAnswer)
}

async fn put(client: &Client, url: &Url, wav: &Wav, disk: &Arc<Semaphore>) -> Result<(), Trouble> {
    let request = client
        .put(url.clone())
        .header(CONTENT_TYPE, "audio/wav")
        .header(CONTENT_LENGTH, wav.len())
        .body(reqwest::Body::wrap(Sound::of(wav.clone(), disk.clone())));
    let limit = ATTEMPT + Duration::from_secs(wav.len() / SLOWEST);
    let response = tokio::select! {
        response = request.send() => response.map_err(|error| why(&error))?,
        () = sleep(limit) => return Err(Trouble::NoAnswer),
    };
    let status = response.status();
    match status.as_u16() {
        200..300 => Ok(()),
        300..400 => Err(Trouble::Redirect(status.as_u16())),
        408 | 429 | 500.. => Err(Trouble::Unavailable(status.as_u16())),
        _ => Err(Trouble::Refused(status.as_u16())),
    }
}

fn why(error: &(dyn Error + 'static)) -> Trouble {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<Forbidden>() {
            return Trouble::Address;
        }
        cause = error.source();
    }
    Trouble::Unreachable
}

/// The file, read as the socket takes it.
struct Sound {
    pieces: mpsc::Receiver<Result<Bytes, Trouble>>,
    left: u64,
}

impl Sound {
    fn of(wav: Wav, disk: Arc<Semaphore>) -> Self {
        let (send, pieces) = mpsc::channel(1);
        let left = wav.len();
        tokio::spawn(async move {
            sleep(OBJECTIONS).await;
            let mut at = 0;
            while at < left {
                let wav = wav.clone();
                let piece = blocking(&disk, move || wav.read(at, PIECE).map_err(Trouble::disk)).await;
                at += piece.as_ref().map_or(left, |piece| piece.len() as u64);
                if send.send(piece).await.is_err() {
                    return; // the attempt is over
                }
            }
        });
        Self { pieces, left }
    }
}

impl Body for Sound {
    type Data = Bytes;
    type Error = Trouble;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Trouble>>> {
        self.pieces.poll_recv(cx).map(|piece| {
            piece.map(|piece| {
                piece.map(|piece| {
                    self.left = self.left.saturating_sub(piece.len() as u64);
                    Frame::data(piece)
                })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    /// Storages take no upload without a length.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

const PIECE: usize = 64 << 10;

/// A storage that does not like the head of a request says so and closes. Megabytes that are on their way then would
/// reset the connection, and its answer be lost: so it has a moment before they come.
const OBJECTIONS: Duration = Duration::from_millis(300);

/// Between attempts, and then the longest again and again.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// No attempt begins later: a storage that restarts is back by then. The report waits for the last one, and
/// should come while somebody still thinks of the call.
const PATIENCE: Duration = Duration::from_secs(300);

/// One attempt, from the name to the answer, beside the time for the bytes themselves.
const ATTEMPT: Duration = Duration::from_secs(20);

/// Bytes a second. Half an hour has 29 MB, and a minute for them.
const SLOWEST: u64 = 500_000;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{
        outward::{address, tls},
        recording::tape::{Tape, tests::room},
    };

    /// Tries to upload five minutes to this address.
    async fn upload_to(url: &str, allow_private: bool) -> (u32, Result<(), Trouble>) {
        let mut tape = Tape::create(&std::env::temp_dir(), room(1 << 23)).unwrap();
        tape.append(&[1; 300 * 16_000]).unwrap();
        let client = address::client(allow_private, Arc::unwrap_or_clone(tls::for_requests(&[]))).unwrap();
        let (wav, disk) = (tape.finish().unwrap(), Arc::new(Semaphore::new(1)));
        upload(&client, &Url::parse(url).unwrap(), &wav, &disk, &CancellationToken::new()).await
    }

    #[tokio::test(start_paused = true)]
    async fn five_minutes_are_enough() {
        let start = Instant::now();
        let (attempts, end) = upload_to("http://127.0.0.1:1/kept", true).await; // nobody listens there
        assert_eq!(end, Err(Trouble::Unreachable));
        assert!((10..20).contains(&attempts), "{attempts}");
        let took = start.elapsed();
        assert!((PATIENCE..PATIENCE + LONGEST_PAUSE + ATTEMPT).contains(&took), "{took:?}");
    }

    /// As storages do with a URL that is no longer valid: they do not even read what comes.
    #[tokio::test]
    async fn a_no_before_all_was_sent_is_understood() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/kept", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = [0; 100]; // and not all that was sent
                socket.read_exact(&mut head).await.unwrap();
                let no = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                socket.write_all(no.as_bytes()).await.unwrap();
            }
        });
        for _ in 0..10 {
            assert_eq!(upload_to(&url, true).await, (1, Err(Trouble::Refused(403))));
        }
    }

    /// What a token may not name by its number may not be reached by a name either.
    #[tokio::test]
    async fn a_name_that_leads_into_the_private_network_is_not_reached() {
        let (attempts, end) = upload_to("https://localhost:1/kept", false).await;
        assert_eq!((attempts, end), (1, Err(Trouble::Address)));
    }
}
