//! Conditions at real stops: what is checked without a process, and its quick form, agree with the full evaluation.

mod support;

use support::traced::Traced;
use weft_memory::{DwarfRegister, MemAddr};
use weft_values::{Compiled, EvaluateError, Message, Stop, TaskValue, TaskVariable, frames, variables};

const DEBUG: &[&str] = &[];
const OPTIMISED: &[&str] = &["-O"];

/// Checks for the code at which the program stands.
fn compile(stop: &Stop, text: &str) -> Result<Compiled, EvaluateError> {
    let (module, pc) = stop.modules.to_file(stop.threads[0].registers.pc()).expect("it stands in a file");
    Compiled::condition(&stop.modules, &module.image, pc, text)
}

fn no_task(_: TaskVariable) -> Result<TaskValue, EvaluateError> {
    Err(EvaluateError::NoTask)
}

fn full(stop: &Stop, text: &str) -> Result<bool, EvaluateError> {
    Compiled::anywhere(text)?.holds(stop, stop.threads[0].tid, &no_task)
}

/// What the quick form answers, if there is one, by nothing but the registers that it names, and memory.
fn quick(stop: &Stop, compiled: &Compiled) -> Option<Option<bool>> {
    let quick = compiled.quick()?;
    let named = quick.registers();
    let register = |register: DwarfRegister| {
        assert!(named.contains(&register), "{register:?} is not named");
        stop.threads[0].registers.get(register).expect("the innermost frame has all registers")
    };
    let read = |address: MemAddr, buffer: &mut [u8]| stop.memory.read_exact(address, buffer).is_ok();
    Some(quick.holds(register, read))
}

/// A condition, what it comes to in a debug build, and whether it has a quick form there.
type Row = (&'static str, bool, bool);

const WORK: &[Row] = &[
    ("step == -3", true, true),
    ("step < 0 && flag", true, true),
    ("step > 0 || !flag", false, true),
    ("local == step * 2", true, true),
    ("local as i64 - 1 == -7", true, true),
    ("wide == -3", true, false),
    ("self.id == 2", true, true),
    ("self.id % 2 == 1", false, true),
    ("self.inner.depth == 2", true, true),
    ("self.inner.ratio > 1.5", true, true),
    ("self.shared.depth == 9", true, true),
    ("(*self).shared.ratio == 0.5", true, true),
    ("self.name == \"second\"", true, true),
    ("self.name != \"second\"", false, true),
    ("self.name == \"sec\"", false, true),
    ("self.name < \"t\"", true, false),
    ("self.label == \"two\"", true, true),
    ("self.state == State::Busy", true, true),
    ("self.state != State::Idle", true, true),
    ("self.state as u8 == 5", true, true),
    ("self.next != None", true, true),
    ("self.next == Some", true, true),
    ("self.next.0.id == 1", true, false),
    ("self.name.len() == 6 && !self.label.is_empty()", true, true),
    ("self.next.is_some()", true, true),
    ("self.state is State::Busy | State::Idle", true, true),
    ("self.name.contains(\"con\")", true, false),
    ("HITS == 3", true, true),
    ("crate::HITS + 1 == 4", true, true),
    ("LIMITS.0 == 10 && LIMITS.1", true, true),
];

const LOCALS: &[Row] = &[
    ("a == 3", true, true),
    ("a != 3", false, true),
    ("a + 252 == 255", true, true),
    ("b == -7", true, true),
    ("-b == 7", true, true),
    ("!a == 252", true, true),
    ("c == 0x300", true, true),
    ("c >> 8 == 3 && c & 0xff == 0 && (c | 1) ^ 1 == c", true, true),
    ("d == -9223372036854775808", true, true),
    ("d < 0", true, true),
    ("e == 18446744073709551615", true, true),
    ("e > 18446744073709551614", true, true),
    ("f << 1 == 6", true, true),
    ("yes", true, true),
    ("!yes", false, true),
    ("yes == (a > 2)", true, true),
    ("yes & true | false ^ yes", true, true),
    ("letter == 'é'", true, true),
    ("letter as u32 > 200", true, true),
    ("half == 0.5", true, true),
    ("third < -0.2", true, true),
    ("third * 2.0 == -0.5", true, false),
    ("state == State::Gone", true, true),
    ("state == State::Busy", false, true),
    ("state as i32 == -2", true, true),
    ("event == Event::Key", true, true),
    ("event == Event::Key('k')", true, true),
    ("event == Event::Key('j')", false, true),
    ("event != Event::Nothing", true, true),
    ("moved == Event::Move", true, true),
    ("moved.x == 1", true, false),
    ("some == Some(7)", true, true),
    ("some == Some(8)", false, true),
    ("none == None", true, true),
    ("none == Some(7)", false, true),
    ("boxed == Some(1)", true, true),
    ("empty == None", true, true),
    ("text == \"text\"", true, true),
    ("slice == \"slice\"", true, true),
    ("list == b\"\\x01\\x02\\x03\"", true, true),
    ("list[1] == 2", true, true),
    ("list.len() == 3 && array.len() == 3 && bytes.len() > 1", true, true),
    ("some.is_some() && none.is_none() && !boxed.is_none()", true, true),
    ("some.unwrap() == 7", true, false),
    ("list.contains(&2)", true, false),
    ("event is Event::Key('k')", true, true),
    ("event is Event::Key('j')", false, true),
    ("list.get(5) == None", true, false),
    ("list[a as usize - 1] == 3", true, true),
    ("list[list[0]] > list[0] && bytes[1] == b'a'", true, true),
    ("array[2] == -30", true, true),
    ("array[some.0 as usize - 7] == -10", true, false),
    ("rows[1].0 == 2 && rows[0].1 == State::Busy", true, true),
    ("rows[1].1 == State::Gone", true, true),
    ("refs[1].0 == 2", true, true),
    ("words[1] == \"two\"", true, false),
    ("optional[1] == Some(6)", true, true),
    ("list[1..][0] == 2", true, false),
    ("bytes == b\"raw\"", true, false),
    ("pointer != 0", true, true),
    ("*pointer == c", true, true),
    ("null == 0", true, true),
    ("nested == 3", true, true),
    ("**nested == 3", true, true),
    ("a as i8 as u64 == 3", true, true),
];

const INLINED: &[Row] = &[("left == 40", true, true), ("sum == left + right", true, true)];

const HIDDEN: &[Row] = &[("value == 42", true, true)];

const CAPTURES: &[Row] =
    &[("by == 4", true, true), ("count == 5", true, true), ("limit > by", true, true), ("name == \"cap\"", true, true)];

/// The binding of an argument that is not kept across the `.await` lies on the stack: whether it is still there, only the
/// coroutine's state tells.
const TASK: &[Row] = &[("limit == 50", true, false), ("kept == 51", true, true), ("label == \"async\"", true, true)];

const RESUMED: &[Row] = &[
    ("limit == 50", true, false),
    ("kept == 51", true, true),
    ("got == 7", true, true),
    ("fresh == 58", true, true),
    ("label == \"async\"", true, true),
];

const STOPS: [&[Row]; 7] = [WORK, LOCALS, INLINED, HIDDEN, CAPTURES, TASK, RESUMED];

#[test]
fn conditions_of_a_debug_build_are_quick_and_right() {
    let mut program = Traced::start("conditions", DEBUG);
    let mut wrong = Vec::new();
    for (index, rows) in STOPS.iter().enumerate() {
        let stop = program.next().unwrap_or_else(|| panic!("the program reaches stop {index}"));
        for (text, value, is_quick) in *rows {
            let found = compile(&stop, text).map(|compiled| {
                let holds = compiled.holds(&stop, stop.threads[0].tid, &no_task).map_err(|error| error.to_string());
                (holds, quick(&stop, &compiled))
            });
            let expected = if *is_quick { Some(Some(*value)) } else { None };
            if found != Ok((Ok(*value), expected)) {
                wrong.push(format!("{index} {text}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(program.next().is_none(), "every stop has its rows");
}

/// What is not simple is evaluated in full, and only if it is needed.
#[test]
fn the_simple_side_decides_where_it_can() {
    let mut program = Traced::start("conditions", DEBUG);
    let stop = program.next().expect("the program reaches its first stop");
    for (text, answer) in [
        ("local == 0 && self.name < \"t\"", Some(false)),
        ("local == -6 && self.name < \"t\"", None),
        ("local == -6 || self.name < \"t\"", Some(true)),
        ("local == 0 || self.name < \"t\"", None),
        ("self.id + 18446744073709551615 == 1", None),
        ("step / (step + 3) == 1", None),
        ("self.label == \"two\" && self.id == 1", Some(false)),
    ] {
        let compiled = compile(&stop, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(quick(&stop, &compiled), Some(answer), "{text}");
    }
    let compiled = compile(&stop, "self.name < \"t\" && local == 0").expect("it is a condition");
    assert_eq!(quick(&stop, &compiled), None);
}

/// In every build, at every stop: a condition that is refused has no value, and a quick answer is the right one.
fn agree(flags: &[&str]) -> (usize, usize) {
    let mut program = Traced::start("conditions", flags);
    let (mut accepted, mut answered) = (0, 0);
    for index in 0..STOPS.len() {
        let stop = program.next().unwrap_or_else(|| panic!("the program reaches stop {index}"));
        for (text, ..) in STOPS.iter().copied().flatten() {
            let truth = full(&stop, text);
            match compile(&stop, text) {
                Err(error) => assert!(truth.is_err(), "{index} {text} is {truth:?}, but refused: {error}"),
                Ok(compiled) => {
                    accepted += 1;
                    if let Some(Some(value)) = quick(&stop, &compiled) {
                        answered += 1;
                        assert_eq!(truth, Ok(value), "{index} {text}");
                    }
                }
            }
        }
    }
    (accepted, answered)
}

#[test]
fn quick_answers_are_those_of_the_full_evaluation() {
    let rows: usize = STOPS.iter().map(|rows| rows.len()).sum();
    let (accepted, answered) = agree(DEBUG);
    assert!(accepted >= rows && answered > rows * 3 / 4, "{accepted} accepted, {answered} answered of {rows}");
    let (accepted, answered) = agree(OPTIMISED);
    assert!(answered > 20, "{accepted} accepted, {answered} answered of {rows} in an optimised build");
}

/// Expressions at random, from names that are there and operators of every kind.
struct Generator(u64);

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn value(&mut self, depth: usize, names: &[&str]) -> String {
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0..3 => self.one(names).to_owned(),
            3 | 4 => self
                .one(&[
                    "0",
                    "1",
                    "3",
                    "-1",
                    "255",
                    "7u8",
                    "1.5",
                    "true",
                    "'a'",
                    "\"text\"",
                    "None",
                    "State::Busy",
                    "0x300",
                ])
                .to_owned(),
            5 => format!("({} {} {})", self.value(depth - 1, names), self.operator(), self.value(depth - 1, names)),
            6 => format!("{}{}", self.one(&["-", "!", "*"]), self.value(depth - 1, names)),
            7 => format!(
                "({} as {})",
                self.value(depth - 1, names),
                self.one(&["u8", "i16", "u64", "i64", "usize", "f64"])
            ),
            _ => format!("{}[{}]", self.one(names), self.value(depth - 1, names)),
        }
    }

    fn operator(&mut self) -> &'static str {
        self.one(&["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "=="])
    }

    fn condition(&mut self, names: &[&str]) -> String {
        let comparison = self.one(&["==", "!=", "<", "<=", ">", ">="]);
        let left = self.value(2, names);
        // Half of them compare like with like, so that many are meaningful.
        if self.below(2) == 0 {
            let plain = left.replace(['(', ')', '-', '!', '*'], " ");
            let name = plain.split_whitespace().next().filter(|name| names.contains(name)).unwrap_or("a");
            return format!("{left} {comparison} {name}");
        }
        format!("{left} {comparison} {}", self.value(2, names))
    }
}

#[test]
fn checking_and_evaluating_agree_on_many() {
    const NAMES: &[&str] = &[
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "yes",
        "letter",
        "half",
        "third",
        "state",
        "event",
        "some",
        "none",
        "boxed",
        "text",
        "slice",
        "list",
        "pointer",
        "null",
        "nested",
        "bytes",
        "moved.x",
        "missing",
        "array",
        "rows[1].0",
        "refs[a].0",
        "optional",
        "HITS",
        "LIMITS.0",
        "list.len",
    ];
    for flags in [DEBUG, OPTIMISED] {
        let mut program = Traced::start("conditions", flags);
        program.next().expect("the program reaches its first stop");
        let stop = program.next().expect("the program reaches its second stop");
        let mut generator = Generator(0x9e37_79b9_7f4a_7c15);
        let (mut refused, mut valued, mut quickly) = (0, 0, 0);
        for _ in 0..800 {
            let text = generator.condition(NAMES);
            let truth = full(&stop, &text);
            match compile(&stop, &text) {
                Err(error) => {
                    refused += 1;
                    assert!(truth.is_err(), "{text} is {truth:?}, but refused: {error}");
                }
                Ok(compiled) => {
                    valued += usize::from(truth.is_ok());
                    // What needs no memory is found when the condition is set; fields of a variant need it.
                    let is_late = matches!(
                        truth,
                        Err(EvaluateError::Unknown { .. } | EvaluateError::NoField { .. } | EvaluateError::Mismatch(_))
                    );
                    let out_of_range =
                        matches!(&truth, Err(EvaluateError::Mismatch(text)) if text.starts_with("index -"));
                    assert!(!is_late || out_of_range || text.contains("moved.x"), "{text} was accepted: {truth:?}");
                    if let Some(Some(value)) = quick(&stop, &compiled) {
                        quickly += 1;
                        assert_eq!(truth, Ok(value), "{text}");
                    }
                }
            }
        }
        assert!(refused > 300 && valued > 100 && quickly > 50, "{refused} {valued} {quickly} {flags:?}");
    }
}

/// Every scalar variable of every build, compared with what its reader sees.
#[test]
fn every_variable_is_what_is_shown() {
    for flags in [DEBUG, OPTIMISED] {
        let mut program = Traced::start("conditions", flags);
        let mut compared = 0;
        while let Some(stop) = program.next() {
            let frame = frames(&stop, stop.threads[0].tid, 1).frames.remove(0);
            for variable in variables(&stop, &frame).iter().filter(|variable| !variable.shadowed) {
                let Ok(place) = &variable.place else {
                    continue;
                };
                let value = weft_values::view(&stop, place, 3).value;
                let text = format!("{} == {value}", variable.name);
                let Ok(compiled) = compile(&stop, &text) else { continue };
                compared += 1;
                assert_eq!(compiled.holds(&stop, stop.threads[0].tid, &no_task), Ok(true), "{text}");
                assert!(matches!(quick(&stop, &compiled), None | Some(Some(true))), "{text} {flags:?}");
            }
        }
        assert!(compared > 15, "{compared} {flags:?}");
    }
}

#[test]
fn what_is_wrong_is_said_before_the_program_runs() {
    let mut program = Traced::start("conditions", DEBUG);
    let stop = program.next().expect("the program reaches its first stop");
    let refused = |text: &str| compile(&stop, text).map(|_| ()).map_err(|error| error.to_string());
    for (text, sentence) in [
        ("stepp == 1", "no variable `stepp` in this frame; did you mean `step`?"),
        ("self.idd == 1", "no field `idd` on type `Worker`; did you mean `id`?"),
        ("self.inner.dept == 1", "no field `dept` on type `Inner`; did you mean `depth`?"),
        ("step", "a condition is a `bool`, and this is `i32`; compare it: `!= 0`"),
        ("self.name", "a condition is a `bool`, and this is `String`; compare it: `== \"text\"`"),
        ("step == \"one\"", "cannot compare `i32` with `str`"),
        ("step == self.id", "cannot compare `i32` with `u64`; convert one side: `as u64`"),
        ("self.id == -1", "the number -1 does not fit `u64`"),
        ("self.state == State::Bussy", "no variant `Bussy` in `State`; did you mean `Busy`?"),
        ("self.state == Event::Key", "cannot compare `State` with `Event::Key`; its variants are written `State::..`"),
        ("self.next == Nothing", "no variant `Nothing` in `Option<&Worker>`; it has `None`, `Some`"),
        ("step && flag", "`&&` needs a `bool` on both sides, and this is `i32`; compare it: `!= 0`"),
        ("flag && step", "`&&` needs a `bool` on both sides, and this is `i32`; compare it: `!= 0`"),
        ("-self.id == 1", "cannot negate `u64`, which has no sign; convert it: `as i128`"),
        ("1 / 0 == 1", "`1 / 0` divides by zero"),
        ("step[0] == 1", "type `i32` cannot be indexed"),
        ("*step == 1", "type `i32` cannot be dereferenced"),
        ("self.name[flag] == 1", "an index is a whole number, and this is `bool`"),
        (
            "self.work() == 1",
            "`work` is a function of the program, and those are not called; names, fields, indices, operators and methods like `len`, `get`, `unwrap` can be evaluated",
        ),
        (
            "step = 1",
            "variables are not assigned to here (`==` compares); names, fields, indices, operators and methods like `len`, `get`, `unwrap` can be evaluated",
        ),
        (
            "step.len() == 1",
            "`.len()` of `i32` is a function of the program, and those are not called; names, fields, indices, operators and methods like `len`, `get`, `unwrap` can be evaluated",
        ),
        ("self.name.contains(nam)", "no variable `nam` in this frame"),
        (
            "self.state.is_some()",
            "`.is_some()` of `State` is a function of the program, and those are not called; names, fields, indices, operators and methods like `len`, `get`, `unwrap` can be evaluated",
        ),
        ("step ==", "this is not a Rust expression: unexpected end of input, expected an expression"),
        ("MAX == 1", "no variable `MAX` in this frame; a `const` is nowhere in the program: write its value"),
    ] {
        assert_eq!(refused(text), Err(sentence.to_owned()), "{text}");
        assert!(full(&stop, text).is_err(), "{text} has a value");
    }
    // What memory decides is accepted.
    for text in ["self.next.0.id == 1", "self.next.0.next.0.id == 9", "step / local == 0", "local / (step + 3) == 1"] {
        assert_eq!(refused(text), Ok(()), "{text}");
    }
}

#[test]
fn what_is_optimised_out_is_said_when_the_condition_is_set() {
    let mut program = Traced::start("scopes", DEBUG);
    for passed in 0..5 {
        program.next().unwrap_or_else(|| panic!("the program reaches stop {passed}"));
    }
    let stop = program.next().expect("the generic function is reached");
    let error = compile(&stop, "items[0] == \"p\"").expect_err("nothing is kept of it").to_string();
    let sentence = "`items` is <optimised out> at this address; use another line, or build with `opt-level = 0`";
    assert_eq!(error, sentence);
    assert!(full(&stop, "items[0] == \"p\"").is_err());
    assert_eq!(full(&stop, "copy[0] == \"p\""), Ok(true));
}

/// A function's first instruction: nothing is where the debug information says.
#[test]
fn at_a_functions_entry_nothing_is_set_up() {
    let mut program = Traced::start("conditions", DEBUG);
    let stop = program.next().expect("the program reaches its first stop");
    let (module, pc) = stop.modules.to_file(stop.threads[0].registers.pc()).expect("it stands in a file");
    let code = module.image.frames_at(pc).expect("it has debug information").remove(0);
    let error =
        Compiled::condition(&stop.modules, &module.image, code.entry, "step == 1").expect_err("it is too early");
    assert!(error.to_string().starts_with("`step` is not set up yet at this address"), "{error}");
}

#[test]
fn log_messages_show_values_and_reasons() {
    let mut program = Traced::start("conditions", DEBUG);
    let stop = program.next().expect("the program reaches its first stop");
    let tid = stop.threads[0].tid;
    let (module, pc) = stop.modules.to_file(stop.threads[0].registers.pc()).expect("it stands in a file");
    for (message, text) in [
        ("plain", "plain"),
        ("", ""),
        ("{step}", "-3"),
        ("step {step}, {{braces}}, {flag && step < 0}", "step -3, {braces}, true"),
        ("name={self.name} label={self.label}", "name=second label=two"),
        ("{self.inner}", "Inner { depth: 2, ratio: 2.0 }"),
        ("{self.name == \"}{\"}", "false"),
        ("{\"lite}ral\"} and {'}' == '}'}", "lite}ral and true"),
        ("{self.inner.depth + 1}", "3"),
        ("{self.next.0.next.0.id}!", "<no field `0` on type `Option<&Worker>`>!"),
        ("{local / (step + 3)}", "<`-6 / 0` divides by zero>"),
    ] {
        let parsed = Message::parse(message).unwrap_or_else(|error| panic!("{message}: {error}"));
        assert_eq!(parsed.check(&stop.modules, &module.image, pc), Ok(()), "{message}");
        assert_eq!(parsed.text(&stop, tid, &no_task), text, "{message}");
    }
    for (message, reason) in [
        ("a { b", "a `{` is not closed; write `{{` for a brace itself"),
        ("a } b", "a `}` closes nothing; write `}}` for a brace itself"),
        ("{}", "there is nothing to evaluate"),
        ("{a +}", "unexpected end of input, expected an expression"),
    ] {
        let error = Message::parse(message).expect_err(message).to_string();
        assert_eq!(error, format!("this is not a Rust expression: {reason}"), "{message}");
    }
    let parsed = Message::parse("{stepp}").expect("it is a message");
    let error = parsed.check(&stop.modules, &module.image, pc).expect_err("there is no such name");
    assert_eq!(error.to_string(), "no variable `stepp` in this frame; did you mean `step`?");
    assert_eq!(parsed.text(&stop, tid, &no_task), "<no variable `stepp` in this frame; did you mean `step`?>");
}

#[test]
fn the_task_can_be_asked_for() {
    let mut program = Traced::start("conditions", DEBUG);
    let stop = program.next().expect("the program reaches its first stop");
    let tid = stop.threads[0].tid;
    let task = |asked: TaskVariable| {
        Ok(match asked {
            TaskVariable::Id => TaskValue::Number(7),
            TaskVariable::Name => TaskValue::Text("server::handle".to_owned()),
            TaskVariable::RuntimeId => return Err(EvaluateError::Unavailable("it has no number".to_owned())),
        })
    };
    for (text, value) in [
        ("task.id == 7", true),
        ("task.id > 7 || task.name == \"server::handle\"", true),
        ("step == -3 && task.id != 7", false),
        ("step != -3 && task.runtime_id == 1", false),
    ] {
        let compiled = compile(&stop, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(compiled.holds(&stop, tid, &task), Ok(value), "{text}");
    }
    let holds = |text: &str| compile(&stop, text).and_then(|compiled| compiled.holds(&stop, tid, &task));
    assert_eq!(holds("task.runtime_id == 1"), Err(EvaluateError::Unavailable("it has no number".to_owned())));
    for (text, error) in [
        ("task.id == \"seven\"", "cannot compare `u64` with `str`"),
        ("task.id", "a condition is a `bool`, and this is `u64`"),
        ("task.state == 1", "no variable `task` in this frame"),
    ] {
        let said = compile(&stop, text).expect_err(text).to_string();
        assert!(said.starts_with(error), "{text}: {said}");
    }
    let compiled = compile(&stop, "task.id == 7").expect("it can be compiled");
    assert_eq!(compiled.holds(&stop, tid, &no_task), Err(EvaluateError::NoTask));
    let message = Message::parse("{task.name} is {task.id}").expect("it is a message");
    assert_eq!(message.text(&stop, tid, &task), "server::handle is 7");
    assert_eq!(message.text(&stop, tid, &no_task), "<no task runs here> is <no task runs here>");
}
