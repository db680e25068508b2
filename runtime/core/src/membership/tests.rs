//! The protocol in small worlds: told as stories, thrown into chaos, and explored exhaustively.

mod chaos;
mod explore;

mod stories;
mod world;
