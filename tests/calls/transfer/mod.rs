//! Twilio is told over its REST API to move a caller or to end the line: after the last word, and whatever it answers.

mod desk;
mod faults;
mod moves;
