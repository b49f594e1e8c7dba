//! What an expression may ask of the task that runs: `task.id`, `task.name`, `task.runtime_id`.
//!
//! Whoever evaluates knows which task that is; this room has never heard of tasks. A variable of the program's called
//! `task` that has such a field comes first.

use super::EvaluateError;
use super::number::{Integer, IntegerType};
use super::syntax::Node;
use super::value::{Kind, Value};

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskVariable {
    /// `task.id`: the number by which a user knows the task.
    Id,
    /// `task.name`.
    Name,
    /// `task.runtime_id`: the runtime's own number.
    RuntimeId,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskValue {
    /// A number, which is a `u64` to operators.
    Number(u64),
    /// Text.
    Text(String),
}

/// Who answers.
pub type AskTask<'a> = dyn Fn(TaskVariable) -> Result<TaskValue, EvaluateError> + 'a;

impl TaskVariable {
    /// The variable that a field of something is.
    pub(super) fn of(base: &Node, field: &str) -> Option<Self> {
        match (base, field) {
            (Node::Path(name), "id") if name == "task" => Some(Self::Id),
            (Node::Path(name), "name") if name == "task" => Some(Self::Name),
            (Node::Path(name), "runtime_id") if name == "task" => Some(Self::RuntimeId),
            _ => None,
        }
    }

    /// Whether the program has no such thing itself, so that this is what was meant.
    pub(super) const fn is_meant_after(error: &EvaluateError) -> bool {
        matches!(error, EvaluateError::Unknown { .. } | EvaluateError::NoField { .. })
    }

    /// What it is to operators.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Id | Self::RuntimeId => Kind::Integer(IntegerType::named("u64")),
            Self::Name => Kind::Text("str".to_owned()),
        }
    }
}

impl TaskValue {
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Number(number) => match IntegerType::named("u64") {
                Some(ty) => Value::Integer(Integer::small(number, ty)),
                None => Value::Other("u64".to_owned()),
            },
            Self::Text(text) => Value::Text(text.into_bytes()),
        }
    }
}
