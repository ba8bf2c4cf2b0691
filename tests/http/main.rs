//! The relay's doors, on real sockets: who gets in, who does not, and what they are told.

mod house;

mod calls;
mod drain;
mod hostile;
mod pages;
mod phone;
mod refusals;
