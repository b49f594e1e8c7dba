//! Conditions: checked once for a place in the code, then asked at every hit.

use std::sync::Arc;

use weft_memory::{Bytes, FileAddr};
use weft_symbols::{Image, Modules};

use super::check::Check;
use super::evaluation::Evaluation;
use super::location::Location;
use super::quick::Quick;
use super::syntax::Node;
use super::value::Kind;
use super::{AskTask, EvaluateError, Within};
use crate::{Stop, ValueError, frames, no_variables, variables};

/// A condition that was checked against the code at one address.
#[derive(Clone, Debug)]
pub struct Compiled {
    node: Node,
    quick: Option<Quick>,
}

impl Compiled {
    /// Checks `text`, which is to be a `bool`, for the code at `pc` of `image`, without a process: syntax, names in
    /// scope there, fields and types as far as they do not depend on the program's memory. The error is what the user
    /// is told who sets the condition.
    pub fn condition(modules: &Modules, image: &Arc<Image>, pc: FileAddr, text: &str) -> Result<Self, EvaluateError> {
        let node = super::syntax::parse(text)?;
        let location = Location::new(modules, image, pc)?;
        let typed = Check { location: &location, nowhere: &nowhere() }.typed(&node)?;
        match typed.kind() {
            Kind::Bool | Kind::Unknown => {}
            other => return Err(super::not_bool(&other)),
        }
        let quick = match typed.kind() {
            Kind::Bool => typed.operations().and_then(Quick::new),
            _ => None,
        };
        Ok(Self { node, quick })
    }

    /// A condition for hits that belong to no place in the code (of breakpoints on data): only its syntax is checked.
    pub fn anywhere(text: &str) -> Result<Self, EvaluateError> {
        Ok(Self { node: super::syntax::parse(text)?, quick: None })
    }

    /// Whether it is true in the innermost frame of a thread. Any expression, with all that debug information says. `task`
    /// is asked for the task that runs there, if the condition has to know.
    pub fn holds(&self, stop: &Stop, tid: i32, task: &AskTask<'_>) -> Result<bool, EvaluateError> {
        let frame = frames(stop, tid, 1).frames.into_iter().next();
        let frame = frame.ok_or_else(|| ValueError::Unavailable(format!("there is no thread {tid}")))?;
        let list = variables(stop, &frame);
        let path = frame.code.as_ref().map_or("", |code| code.function.path.as_str());
        let nameless = no_variables(stop, &frame, &list);
        let within = Within { variables: &list, path, nameless: nameless.as_deref() };
        Evaluation { stop, scope: &within, task: Some(task) }.truth(&self.node)
    }

    /// The form of it that is asked from registers and a few reads; none where it is not as simple as that.
    pub const fn quick(&self) -> Option<&Quick> {
        self.quick.as_ref()
    }
}

/// Checks an expression of any type for the code at an address.
pub(super) fn check(modules: &Modules, image: &Arc<Image>, pc: FileAddr, node: &Node) -> Result<(), EvaluateError> {
    let location = Location::new(modules, image, pc)?;
    Check { location: &location, nowhere: &nowhere() }.typed(node).map(|_| ())
}

/// A program of nothing.
fn nowhere() -> Stop {
    Stop {
        generation: 0,
        pid: 0,
        memory: Arc::new(Bytes::new()),
        modules: Arc::new(Modules::default()),
        threads: Vec::new(),
        clock: None,
        descriptors: None,
        stacks: crate::Stacks::default(),
    }
}
