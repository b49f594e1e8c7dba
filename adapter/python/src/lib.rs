//! The Python face of a debuggee.
//!
//! What belongs here: the other implementation of `session::Debuggee`, for asyncio programs. It will let pydevd (the
//! engine of debugpy) do what pydevd does well, by delegating requests to it, and stand in only where asyncio needs
//! more: the task tree, logical stacks, breakpoints and steps that stay in their task. The reader that takes the task
//! tree of CPython 3.14 and later from outside the process, through `memory` and `process`, belongs here as well.
//!
//! Nothing of it exists yet: `runtime: "python"` is refused by `session` with a sentence that says so.
