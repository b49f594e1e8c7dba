//! The module of ours inside the program, and the connection to it.
