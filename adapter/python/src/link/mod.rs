//! The connection to pydevd: its only client.
