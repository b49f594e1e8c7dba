//! Awaiting in the midst of a task: `awaits.py`.

use std::io::BufRead;

use super::program::{Program, in_each};
use crate::probe::Options;

#[test]
fn an_expression_is_awaited_on_the_loop_that_stands_there() {
    in_each(|python| {
        let mut program = Program::load(python, "awaits.py", &Options::default());
        let mut said = Vec::new();
        while said.last().is_none_or(|line| line != "done") {
            let mut line = String::new();
            assert!(program.output.read_line(&mut line).unwrap() > 0, "{}: {said:?}", python.version);
            said.push(line.trim_end().to_owned());
        }
        let wanted = [
            "22",
            "[20, 0, 1, 2]",
            "later",
            "TimeoutError: given up after 1 s",
            "21",
            "ZeroDivisionError: division by zero",
            "True 5",
            "True",
            "TimeoutError: it does not end, although it was cancelled",
            "goes on",
            "without a loop",
            "done",
        ];
        assert_eq!(said, wanted, "{}", python.version);
    });
}
