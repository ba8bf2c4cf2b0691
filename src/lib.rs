//! Patchcord
<<<<<<< HEAD
pub mod outbox;
=======

pub mod gate;
>>>>>>> gate
pub mod outward;
