//! The token gate from outside: what is let in, what is refused and with which code.

mod interop;
mod let_in;
mod scene;
