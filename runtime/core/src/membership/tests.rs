//! The protocol in small worlds.
