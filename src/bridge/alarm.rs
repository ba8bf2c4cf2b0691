//! One timer for all deadlines of a call.
//!
//! The next deadline moves with almost every frame, mostly later. Moving a timer costs more than waking up
//! once too often, so it is only ever moved forward; when it rings too early the call finds nothing due.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time::{Sleep, sleep_until};

#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Alarm {
    /// `Ready` when it is time to look at the deadlines again.
    pub fn poll(&mut self, cx: &mut Context<'_>, next: Option<Instant>) -> Poll<()> {
        let Some(next) = next.map(tokio::time::Instant::from_std) else {
            self.armed = false;
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(next)));
        if !self.armed || next < sleep.deadline() {
            sleep.as_mut().reset(next);
            self.armed = true;
        }
        ready!(sleep.as_mut().poll(cx));
        self.armed = false;
        Poll::Ready(())
    }
}

use std::future::Future;

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_at_the_first_deadline_and_can_be_moved_forward() {
        let start = tokio::time::Instant::now();
        let at = |ms| Some((start + Duration::from_millis(ms)).into_std());
        let mut alarm = Alarm::default();
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx, at(500)))).await.is_pending());
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx, None))).await.is_pending());
        poll_fn(|cx| alarm.poll(cx, at(100))).await;
        assert_eq!(start.elapsed(), Duration::from_millis(100));
        poll_fn(|cx| alarm.poll(cx, at(300))).await;
        assert_eq!(start.elapsed(), Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moved_later_rings_early_once() {
        let start = tokio::time::Instant::now();
        let at = |ms| Some((start + Duration::from_millis(ms)).into_std());
        let mut alarm = Alarm::default();
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx, at(100)))).await.is_pending());
        poll_fn(|cx| alarm.poll(cx, at(900))).await;
        assert_eq!(start.elapsed(), Duration::from_millis(100));
        poll_fn(|cx| alarm.poll(cx, at(900))).await;
        assert_eq!(start.elapsed(), Duration::from_millis(900));
    }
}
