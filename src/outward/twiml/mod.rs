//! The documents that tell Twilio what to do with a call.

mod dial;
mod stream;

pub use self::{
    dial::dial,
    stream::{Unfit, stream},
};
