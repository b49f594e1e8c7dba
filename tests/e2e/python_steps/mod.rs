//! Walks through asyncio's coroutines: each step, the line that it ends on, and the locals there. Siblings of the task run the same
//! code all the time.
//!
//! A walk is a table. A row says how to step (`over`, `into`, `out`; `at` begins), the marker it ends on (without the walk's
//! name: `2` in the walk `chain` is `# BP: chain 2`; others in full: `leaf_1`) and all locals; a local with members has no value
//! here. `into:leaf(me)` is a step into one of the line's targets.

mod ends;
mod shapes;
mod siblings;
mod soak;
mod walk;

use weft_tests::on_each_python;

use ends::*;
use shapes::*;
use walk::take;

on_each_python! {
    fn over_awaits(python: &Python) {
        for walk in [&CHAIN, &STREAMED, &QUEUED, &GATHERED] {
            take(python, walk, 5);
        }
    }

    fn over_awaits_among_a_hundred_siblings(python: &Python) {
        take(python, &CHAIN, 100);
    }

    fn where_an_exception_is_caught(python: &Python) {
        take(python, &CAUGHT, 5);
    }

    fn into_what_is_awaited_and_out_again(python: &Python) {
        take(python, &ENTERED, 5);
        take(python, &LEFT, 5);
        take(python, &STARTED, 5);
    }

    fn into_calls_that_run_later(python: &Python) {
        for walk in [&SECOND, &SPAWNED, &ADOPTED] {
            take(python, walk, 5);
        }
    }

    /// From 3.12 on: with `eager_task_factory`.
    fn in_tasks_that_begin_at_once(python: &Python) {
        if python.interpreter.minor() >= 12 {
            for walk in [&EAGER, &EAGER_AND_WAITS] {
                take(python, walk, 5);
            }
        }
    }

    fn on_where_a_task_is_awaited(python: &Python) {
        for walk in [&JOINED, &COLLECTED, &GROUPED, &SHIELDED, &LIMITED, &SELECTED, &COMPLETED] {
            take(python, walk, 5);
        }
    }

    fn on_when_a_task_is_cancelled_or_fails(python: &Python) {
        take(python, &ABORTED, 5);
        take(python, &BROKEN, 5);
    }

    fn no_further_than_a_task_that_nobody_awaits(python: &Python) {
        take(python, &ALONE, 5);
    }

    /// The loop is compiled code here: nothing of it can be traced.
    fn on_a_loop_of_uvloops(python: &Python) {
        let Some(python) = python.on_uvloop() else { return };
        for walk in [&CHAIN, &STREAMED, &CAUGHT, &ENTERED, &LEFT, &SECOND, &SPAWNED, &JOINED, &COLLECTED, &GROUPED, &LIMITED, &ABORTED, &ALONE] {
            take(&python, walk, 5);
        }
    }

    fn past_what_siblings_hit(python: &Python) {
        siblings::are_passed(python);
        siblings::stop_if_wanted(python);
    }

    fn on_after_another_task_has_interrupted(python: &Python) {
        siblings::others_interrupt(python);
    }

    fn breakpoints_tell_tasks_apart(python: &Python) {
        siblings::are_told_apart(python);
    }

    fn at_random_through_a_busy_program(python: &Python) {
        soak::take(python, 200, 7);
    }

    fn until_a_pause(python: &Python) {
        siblings::are_paused(python);
    }

    fn that_wait_say_what_for(python: &Python) {
        siblings::that_wait_say_what_for(python);
    }

    fn under_way_when_the_client_leaves(python: &Python) {
        siblings::may_be_left(python);
    }
}
