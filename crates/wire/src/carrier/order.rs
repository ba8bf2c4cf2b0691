//! Frames that come out of order, or twice, in the order in which they were spoken.
//!
//! A WebSocket keeps its order, but not every carrier fills it in order. Each frame has a number; one that comes too
//! soon waits for those before it, though not for long: a frame that is lost never comes, and the others grow old.

use std::collections::{BTreeMap, VecDeque};

use call::Mended;

#[derive(Debug)]
pub(crate) struct Order<T> {
    /// The number of the frame that is to come out next.
    next: Option<u64>,
    early: BTreeMap<u64, T>,
    ready: VecDeque<T>,
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self { next: None, early: BTreeMap::new(), ready: VecDeque::new() }
    }
}

impl<T> Order<T> {
    /// A frame came. Says what had to be put right. A frame without a number is the next one.
    pub fn push(&mut self, number: Option<u64>, frame: T) -> Option<Mended> {
        let Some(number) = number else {
            self.ready.push_back(frame);
            return None;
        };
        // Carriers count from 0 or 1, and the second frame of all may come first.
        let next = *self.next.get_or_insert(if number <= WINDOW as u64 { number.min(1) } else { number });
        if number + ANEW < next || number > next + ANEW {
            // No frame is late by so much: the carrier counts anew.
            self.give_up_waiting();
            self.next = Some(number + 1);
            self.ready.push_back(frame);
            return Some(Mended::Missing);
        }
        if number < next || self.early.contains_key(&number) {
            return Some(Mended::Twice);
        }
        if number == next {
            let was_awaited = !self.early.is_empty();
            self.ready.push_back(frame);
            self.next = Some(number + 1);
            self.take_what_follows();
            return was_awaited.then_some(Mended::OutOfOrder);
        }
        self.early.insert(number, frame);
        if self.early.len() < WINDOW {
            return None;
        }
        self.next = self.early.first_key_value().map(|(first, _)| *first);
        self.take_what_follows();
        Some(Mended::Missing)
    }

    /// The next frame that is in its place.
    pub fn pop(&mut self) -> Option<T> {
        self.ready.pop_front()
    }

    /// Nothing more comes: what was missing until now never will.
    pub fn give_up_waiting(&mut self) {
        self.ready.extend(std::mem::take(&mut self.early).into_values());
    }

    fn take_what_follows(&mut self) {
        while let Some(frame) = self.next.and_then(|next| self.early.remove(&next)) {
            self.ready.push_back(frame);
            self.next = self.next.map(|next| next + 1);
        }
    }
}

/// So many frames wait for one that is missing: 100 ms, which a caller does not notice as a pause.
const WINDOW: usize = 5;

/// Numbers that are so far apart do not belong to one count: a second, at 20 ms.
const ANEW: u64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out, frame by frame as the numbers go in, and what was put right.
    fn order(numbers: &[u64]) -> (Vec<u64>, Vec<Mended>) {
        let (mut order, mut out, mut mended) = (Order::default(), Vec::new(), Vec::new());
        for number in numbers {
            mended.extend(order.push(Some(*number), *number));
            out.extend(std::iter::from_fn(|| order.pop()));
        }
        order.give_up_waiting();
        out.extend(std::iter::from_fn(|| order.pop()));
        (out, mended)
    }

    #[test]
    fn frames_in_order_pass_at_once() {
        let mut order = Order::default();
        for number in 1..1_000 {
            assert_eq!(order.push(Some(number), number), None);
            assert_eq!((order.pop(), order.pop()), (Some(number), None));
        }
    }

    #[test]
    fn frames_that_cross_are_put_back_into_their_order() {
        use Mended::OutOfOrder;
        assert_eq!(order(&[1, 3, 2, 4]), (vec![1, 2, 3, 4], vec![OutOfOrder]));
        assert_eq!(order(&[2, 1, 3]), (vec![1, 2, 3], vec![OutOfOrder]), "the very first ones too");
        assert_eq!(order(&[1, 5, 4, 3, 2, 6]), (vec![1, 2, 3, 4, 5, 6], vec![OutOfOrder]));
        assert_eq!(order(&[0, 2, 1]), (vec![0, 1, 2], vec![OutOfOrder]), "counted from zero");
    }

    #[test]
    fn a_frame_that_comes_twice_is_heard_once() {
        use Mended::Twice;
        assert_eq!(order(&[1, 1, 2, 2, 1, 3]), (vec![1, 2, 3], vec![Twice; 3]));
        assert_eq!(order(&[1, 3, 3, 2, 3]).0, [1, 2, 3]);
    }

    #[test]
    fn a_frame_that_is_lost_is_not_waited_for_longer_than_five_frames_and_not_heard_when_it_comes_after_all()
    {
        use Mended::{Missing, Twice};
        let mut waits = Order::default();
        let came = |waits: &mut Order<u64>, number| {
            waits.push(Some(number), number);
            std::iter::from_fn(|| waits.pop()).collect::<Vec<_>>()
        };
        assert_eq!(came(&mut waits, 1), [1]);
        for number in 3..7 {
            assert_eq!(came(&mut waits, number), [0_u64; 0], "{number}");
        }
        assert_eq!(came(&mut waits, 7), [3, 4, 5, 6, 7]);
        assert_eq!(came(&mut waits, 8), [8], "and then nothing is late any more");
        assert_eq!(order(&[1, 3, 4, 5, 6, 7, 2, 8]), (vec![1, 3, 4, 5, 6, 7, 8], vec![Missing, Twice]));
    }

    #[test]
    fn a_stream_that_is_taken_up_in_its_middle_or_counts_anew_is_heard() {
        assert_eq!(order(&[900, 901, 902]), (vec![900, 901, 902], vec![]));
        assert_eq!(order(&[900, 901, 1, 2, 3]).0, [900, 901, 1, 2, 3]);
        assert_eq!(order(&[1, 2, u64::MAX / 2, u64::MAX / 2 + 1]).0.len(), 4);
    }

    #[test]
    fn frames_without_a_number_pass_as_they_come() {
        let mut order = Order::default();
        assert_eq!(order.push(None, 7), None);
        assert_eq!(order.pop(), Some(7));
    }

    #[test]
    fn no_more_than_the_window_ever_waits() {
        let (mut order, mut seed) = (Order::default(), 1_u64);
        for _ in 0..100_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            order.push(Some(seed >> 33 & 63), ());
            assert!(order.early.len() < WINDOW);
            while order.pop().is_some() {}
        }
    }
}
