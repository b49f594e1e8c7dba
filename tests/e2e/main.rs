//! Sessions with live programs over real DAP.

mod architecture;
mod async_steps;
mod attaching;
mod bad_input;
mod breakpoints;
mod builds;
mod command_line;
mod conditions;
mod core_files;
mod crowd;
mod data;
mod ends;
mod functions;
mod hostile;
mod killed;
mod logical;
mod matrix;
mod mini_redis;
mod panics;
mod requests;
mod separate;
mod spawner;
mod step_zoo;
mod stepping;
mod stress;
mod values;
