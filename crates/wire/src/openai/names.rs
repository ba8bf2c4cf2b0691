//! Which number stands for which id of the provider.
//!
//! A call knows replies and items by numbers that only grow; the provider's ids stay here. Only the latest
//! are kept ([`ITEMS`], [`REPLIES`]): an event about one that is forgotten counts as odd, and a command
//! about one does nothing. Both are minutes in the past by then.

use std::{collections::VecDeque, time::Duration};

use call::{Audio, ItemId, ReplyId, ulaw};

#[derive(Debug, Default)]
pub(super) struct Names {
    items: VecDeque<Item>,
    replies: VecDeque<Reply>,
    next_item: u32,
    next_reply: u32,
}

#[derive(Debug)]
pub(super) struct Item {
    pub id: String,
    pub number: ItemId,
    /// `None`: a turn of the caller.
    pub reply: Option<ReplyId>,
    audio: ItemAudio,
    deleted: bool,
}

#[derive(Debug)]
pub(super) struct Reply {
    pub id: String,
    pub number: ReplyId,
    pub done: bool,
}

/// How much audio an item has, and in which of its parts.
#[derive(Debug, Default)]
struct ItemAudio {
    part: Option<u32>,
    bytes: u64,
    /// The provider keeps no more of it than this.
    cut_ms: Option<u64>,
}

/// What has to be told to the provider about an item that was not heard to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    At { part: u32, ms: u64 },
    Delete,
}

impl Names {
    /// A reply that the provider has begun. `None`: it has begun before.
    pub fn begin_reply(&mut self, id: &str) -> Option<ReplyId> {
        if self.reply(id).is_some() {
            return None;
        }
        let number = self.unnamed_reply();
        keep(&mut self.replies, Reply { id: id.to_owned(), number, done: false }, REPLIES);
        Some(number)
    }

    /// A number for a reply that failed before the provider gave it an id.
    pub fn unnamed_reply(&mut self) -> ReplyId {
        self.next_reply = self.next_reply.wrapping_add(1);
        ReplyId(self.next_reply)
    }

    pub fn reply(&self, id: &str) -> Option<&Reply> {
        self.replies.iter().rev().find(|reply| reply.id == id)
    }

    /// `None`: not known, or done before.
    pub fn finish_reply(&mut self, id: &str) -> Option<ReplyId> {
        let reply = self.replies.iter_mut().rev().find(|reply| reply.id == id && !reply.done)?;
        reply.done = true;
        Some(reply.number)
    }

    /// The item's number, and whether it is new.
    pub fn item_of(&mut self, id: &str, reply: Option<ReplyId>) -> (ItemId, bool) {
        if let Some(item) = self.item(id) {
            return (item.number, false);
        }
        self.next_item = self.next_item.wrapping_add(1);
        let number = ItemId(self.next_item);
        let item = Item { id: id.to_owned(), number, reply, audio: ItemAudio::default(), deleted: false };
        keep(&mut self.items, item, ITEMS);
        (number, true)
    }

    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.iter().rev().find(|item| item.id == id)
    }

    /// Counts audio that came for an item. Only its first part with audio counts: a cut names one part.
    pub fn count_audio(&mut self, number: ItemId, part: u32, audio: &Audio) {
        if let Some(item) = self.items.iter_mut().rev().find(|item| item.number == number)
            && *item.audio.part.get_or_insert(part) == part
        {
            item.audio.bytes = item.audio.bytes.saturating_add(audio.len() as u64);
        }
    }

    /// How to cut this item of the agent to what was heard of it: never at zero, never past its end, where
    /// the provider would refuse and go on believing that all was heard. `None`: nothing is left to cut.
    pub fn cut(&mut self, number: ItemId, heard: Duration) -> Option<(&str, Cut)> {
        let item = self.items.iter_mut().rev().find(|item| item.number == number)?;
        if item.reply.is_none() || item.deleted {
            return None;
        }
        let received = ulaw::duration(item.audio.bytes);
        let ms = u64::try_from(heard.min(received).as_millis()).unwrap_or(u64::MAX);
        let ms = ms.min(item.audio.cut_ms.unwrap_or(u64::MAX));
        if ms == 0 {
            item.deleted = true;
            return Some((&item.id, Cut::Delete));
        }
        item.audio.cut_ms = Some(ms);
        Some((&item.id, Cut::At { part: item.audio.part.unwrap_or(0), ms }))
    }

    /// The id of an item that is to be forgotten, whoever's it is. `None`: there is nothing to forget.
    pub fn forget(&mut self, number: ItemId) -> Option<&str> {
        let item = self.items.iter_mut().rev().find(|item| item.number == number && !item.deleted)?;
        item.deleted = true;
        Some(&item.id)
    }
}

fn keep<T>(list: &mut VecDeque<T>, one: T, limit: usize) {
    if list.len() >= limit {
        list.pop_front();
    }
    list.push_back(one);
}

/// More than anything that can still be playing or be transcribed.
pub(super) const ITEMS: usize = 64;

/// One is active at a time; the others are for what arrives late.
pub(super) const REPLIES: usize = 16;
