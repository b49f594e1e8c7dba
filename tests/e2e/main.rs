//! Sessions with live programs over real DAP.

mod architecture;
mod attaching;
mod bad_input;
mod breakpoints;
mod command_line;
mod ends;
mod logical;
mod mini_redis;
mod spawner;
mod stepping;
mod values;
