//! A cascade of Deepgram and a chat model behind the real relay.

mod conversations;
mod heard;
mod interruptions;
mod studio;
mod troubles;
