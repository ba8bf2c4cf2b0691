//! A relay without a main app: from Twilio's webhook, or from a link, to a call with an agent.

mod call_me;
mod desk;
mod started;
mod webhook;
