//! Patchcord
