//! The token gate from outside: what is let in, what is refused and with which code.

mod address;
mod hostile;
mod interop;
mod let_in;
mod rebinding;
mod reference;
mod scene;
mod schema;
mod travel;
