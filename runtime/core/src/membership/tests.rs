//! The protocol in small worlds: told as stories, thrown into chaos, and explored exhaustively.

mod chaos;
mod explore;
mod hot_loops;
mod store;
mod stories;
mod went_back;
mod world;
