//! Expressions over a stopped program.

use super::number::Integer;
use super::reach::Items;
use super::syntax::{Bounds, Logical, Node, Operator};
use super::value::Value;
use super::{AskTask, EvaluateError, Scope, TaskValue, TaskVariable, operators, reach, variants};
use crate::{Place, Stop, ValueError};

/// What a part of an expression comes to.
pub(super) enum Operand {
    /// Something in the program.
    Place(Place),
    /// Something written in the expression, or computed.
    Value(Value),
}

impl Operand {
    pub(super) fn into_place(self, stop: &Stop) -> Result<Place, EvaluateError> {
        match self {
            Self::Place(place) => Ok(place),
            Self::Value(value) => value.into_place(stop),
        }
    }

    pub(super) fn into_value(self, stop: &Stop) -> Result<Value, EvaluateError> {
        match self {
            Self::Place(place) => Value::load(stop, &place),
            Self::Value(value) => Ok(value),
        }
    }
}

/// One evaluation in one scope.
pub(super) struct Evaluation<'a> {
    pub(super) stop: &'a Stop,
    pub(super) scope: &'a dyn Scope,
    /// Who knows the task that runs; none: such variables do not exist.
    pub(super) task: Option<&'a AskTask<'a>>,
}

impl Evaluation<'_> {
    /// Whether a condition is true.
    pub(super) fn truth(&self, node: &Node) -> Result<bool, EvaluateError> {
        match self.value(node)? {
            Value::Bool(value) => Ok(value),
            other => Err(super::not_bool(&other.kind())),
        }
    }

    pub(super) fn operand(&self, node: &Node) -> Result<Operand, EvaluateError> {
        let value = match node {
            Node::Literal(literal) => literal.value()?,
            Node::Negated(inner) => self.negated(inner)?,
            Node::Not(inner) => self.complement(inner)?,
            Node::Binary(operator, left, right) => self.binary(*operator, left, right)?,
            Node::Logical(operator, left, right) => self.logical(*operator, left, right)?,
            Node::Cast(inner, target) => operators::converted(self.stop, self.value(inner)?, target)?,
            Node::Field(base, name) => match self.field(base, name) {
                Ok(place) => return Ok(Operand::Place(place)),
                Err(error) => self.of_task(base, name, error)?,
            },
            Node::Method(base, name, arguments) => return self.method(base, name, arguments),
            other => return self.place(other).map(Operand::Place),
        };
        Ok(Operand::Value(value))
    }

    pub(super) fn value(&self, node: &Node) -> Result<Value, EvaluateError> {
        self.operand(node)?.into_value(self.stop)
    }

    pub(super) fn place(&self, node: &Node) -> Result<Place, EvaluateError> {
        match node {
            Node::Path(name) => self.path(name),
            Node::Field(base, name) => self.field(base, name),
            Node::Index(base, index) => self.index(&self.place(base)?, index),
            Node::Slice(base, bounds) => self.slice(&self.place(base)?, bounds),
            Node::Deref(inner) => Ok(reach::dereferenced(self.stop, &self.place(inner)?)?),
            Node::Variant(name, _) => Err(variant_alone(name)),
            other => self.operand(other)?.into_place(self.stop),
        }
    }

    fn path(&self, name: &str) -> Result<Place, EvaluateError> {
        if let Some(place) = self.scope.lookup(name) {
            return Ok(place?);
        }
        for path in reach::static_paths(name, self.scope.path()) {
            if let Some(place) = reach::static_variable(&self.stop.modules, &path) {
                return place;
            }
        }
        Err(super::unknown(name, &self.scope.names(), self.scope.nameless()))
    }

    fn field(&self, base: &Node, name: &str) -> Result<Place, EvaluateError> {
        if name == "0"
            && matches!(base, Node::Method(..))
            && let Operand::Value(Value::Found(Some(place))) = self.operand(base)?
        {
            // `found is Some(5)` asks for the field of the variant.
            return Ok(*place);
        }
        match self.place(base) {
            Ok(base) => reach::field(self.stop, &base, name),
            // A closure knows a captured part of a place by a name of its own: `self.v`, or `p__v`.
            Err(error @ EvaluateError::Unknown { .. }) => {
                let names = captured_names(base, name);
                match names.iter().find_map(|name| self.scope.lookup(name)) {
                    Some(place) => Ok(place?),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// What `task.id` and its like are, after the program turned out to have no such thing.
    fn of_task(&self, base: &Node, name: &str, error: EvaluateError) -> Result<Value, EvaluateError> {
        let asked = TaskVariable::of(base, name).filter(|_| TaskVariable::is_meant_after(&error));
        match asked.zip(self.task) {
            Some((asked, task)) => task(asked).map(TaskValue::into_value),
            None => Err(error),
        }
    }

    fn index(&self, base: &Place, index: &Node) -> Result<Place, EvaluateError> {
        match reach::sequence(self.stop, base) {
            Ok(sequence) => Ok(sequence.get(self.number(index, sequence.len)?)?),
            Err(error @ ValueError::NotSequence(_)) => match reach::items(self.stop, base)? {
                Some(Items::Entries(entries)) => self.value_of_key(&entries, index),
                _ => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn slice(&self, base: &Place, bounds: &Bounds) -> Result<Place, EvaluateError> {
        let sequence = reach::sequence(self.stop, base)?;
        let bound = |node: &Node| self.number(node, sequence.len);
        let start = bounds.start.as_deref().map_or(Ok(0), bound)?;
        let end = bounds.end.as_deref().map_or(Ok(sequence.len), bound)?;
        let end = if bounds.closed && bounds.end.is_some() { end.saturating_add(1) } else { end };
        Ok(reach::slice(&sequence, start, end)?)
    }

    /// An index into something of `len` elements.
    pub(super) fn number(&self, node: &Node, len: u64) -> Result<u64, EvaluateError> {
        match self.value(node)? {
            Value::Integer(integer) => {
                let index = integer.unsigned().and_then(|index| u64::try_from(index).ok());
                index.ok_or_else(|| {
                    EvaluateError::Mismatch(format!("index {} is out of range: the length is {len}", integer.text()))
                })
            }
            other => Err(super::not_index(&other.kind())),
        }
    }

    fn negated(&self, inner: &Node) -> Result<Value, EvaluateError> {
        let value = self.value(inner)?;
        operators::negated(&value.kind())?;
        match value {
            Value::Integer(integer) => integer.negated().map(Value::Integer),
            Value::Float(value, ty) => Ok(Value::Float(-value, ty)),
            other => Ok(other),
        }
    }

    fn complement(&self, inner: &Node) -> Result<Value, EvaluateError> {
        let value = self.value(inner)?;
        operators::complement(&value.kind())?;
        Ok(match value {
            Value::Integer(integer) => Value::Integer(Integer::complement(integer)),
            Value::Bool(value) => Value::Bool(!value),
            other => other,
        })
    }

    fn logical(&self, operator: Logical, left: &Node, right: &Node) -> Result<Value, EvaluateError> {
        let side = |node: &Node| {
            let value = self.value(node)?;
            operators::logical(operator, &value.kind())?;
            Ok::<bool, EvaluateError>(matches!(value, Value::Bool(true)))
        };
        let left = side(left)?;
        Ok(Value::Bool(match operator {
            Logical::And => left && side(right)?,
            Logical::Or => left || side(right)?,
        }))
    }

    fn binary(&self, operator: Operator, left: &Node, right: &Node) -> Result<Value, EvaluateError> {
        if operator.is_equality() {
            let decided = |equal: bool| Value::Bool(equal == (operator == Operator::Equal));
            if let Some(named) = self.named(right) {
                match self.value(left) {
                    Ok(value) if self.is_meant(&value, named) => return self.is_variant(value, named).map(decided),
                    Ok(value) => return operators::apply(self.stop, operator, value, self.value(right)?),
                    // Perhaps it is the left side that names a variant.
                    Err(EvaluateError::Unknown { .. } | EvaluateError::Unsupported(_))
                        if self.named(left).is_some() => {}
                    Err(error) => return Err(error),
                }
            }
            if let Some(named) = self.named(left) {
                let value = self.value(right)?;
                if self.is_meant(&value, named) {
                    return self.is_variant(value, named).map(decided);
                }
                return operators::apply(self.stop, operator, self.value(left)?, value);
            }
        }
        operators::apply(self.stop, operator, self.value(left)?, self.value(right)?)
    }

    /// The variant that a node may name: no variable is called like that.
    pub(super) fn named<'n>(&self, node: &'n Node) -> Option<Named<'n>> {
        named(node).filter(|named| named.has_arguments() || self.scope.lookup(named.path).is_none())
    }

    /// Whether a variant is what a name beside this value means. Statics, which are looked for in all of the program, are
    /// asked last.
    fn is_meant(&self, value: &Value, named: Named<'_>) -> bool {
        let of_its_enum = |place: &Place| variants::meant(&place.ty, named.path).is_ok();
        named.has_arguments()
            || matches!(value, Value::Enumeration(place) if of_its_enum(place))
            || matches!(self.path(named.path), Err(EvaluateError::Unknown { .. }))
    }

    /// Whether an enum is in a variant. Without arguments, whatever the variant holds.
    pub(super) fn is_variant(&self, value: Value, named: Named<'_>) -> Result<bool, EvaluateError> {
        let Named { path, arguments } = named;
        let place = match value {
            Value::Enumeration(place) => place,
            Value::Found(found) => return self.is_found(found.as_deref(), named),
            other => return Err(super::no_variant(path, !arguments.is_empty(), &other.kind(), &self.scope.names())),
        };
        let name = variants::meant(&place.ty, path)?;
        if !arguments.is_empty() {
            variants::check_arguments(&place.ty, &name, arguments.len())?;
        }
        let Some(held) = variants::active(self.stop, &place, &name)? else { return Ok(false) };
        for (index, argument) in arguments.iter().enumerate() {
            let field = held.as_ref().ok_or(ValueError::NoVariants(String::new()))?.member(&format!("__{index}"))?;
            if !self.equals(&field, argument)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether what was found is as `None` or `Some(..)` says.
    fn is_found(&self, found: Option<&Place>, Named { path, arguments }: Named<'_>) -> Result<bool, EvaluateError> {
        match (path.rsplit("::").next(), arguments, found) {
            (Some("None"), [], found) => Ok(found.is_none()),
            (Some("Some"), [], found) => Ok(found.is_some()),
            (Some("Some"), [value], Some(place)) => self.equals(place, value),
            (Some("Some"), [_], None) => Ok(false),
            _ => Err(EvaluateError::Mismatch(format!("cannot compare `Option` with `{path}`"))),
        }
    }

    pub(super) fn equals(&self, field: &Place, argument: &Node) -> Result<bool, EvaluateError> {
        let field = Value::load(self.stop, field)?;
        if let Some(named) = self.named(argument).filter(|named| self.is_meant(&field, *named)) {
            return self.is_variant(field, named);
        }
        let equal = operators::apply(self.stop, Operator::Equal, field, self.value(argument)?)?;
        Ok(matches!(equal, Value::Bool(true)))
    }
}

/// The names under which a closure would keep a field of this place.
pub(super) fn captured_names(base: &Node, field: &str) -> Vec<String> {
    ["__", "."].iter().filter_map(|dot| Some(format!("{}{dot}{field}", joined_name(base, dot)?))).collect()
}

fn joined_name(node: &Node, dot: &str) -> Option<String> {
    match node {
        Node::Path(path) if !path.contains("::") => Some(path.clone()),
        Node::Field(base, name) => Some(format!("{}{dot}{name}", joined_name(base, dot)?)),
        _ => None,
    }
}

/// A variant that a node may name.
#[derive(Clone, Copy)]
pub(super) struct Named<'n> {
    pub(super) path: &'n str,
    /// What stands in its brackets.
    pub(super) arguments: &'n [Node],
}

impl Named<'_> {
    pub(super) const fn has_arguments(&self) -> bool {
        !self.arguments.is_empty()
    }
}

/// What a node would name if it were a variant.
pub(super) fn named(node: &Node) -> Option<Named<'_>> {
    match node {
        Node::Variant(path, arguments) => Some(Named { path, arguments }),
        Node::Path(path) if is_variant_like(path) => Some(Named { path, arguments: &[] }),
        _ => None,
    }
}

/// Whether the last component of a path begins like a type or variant does.
fn is_variant_like(path: &str) -> bool {
    path.rsplit("::").next().is_some_and(|last| last.starts_with(char::is_uppercase))
}

pub(super) fn variant_alone(name: &str) -> EvaluateError {
    super::unsupported(&format!("`{name}(..)` stands only beside `==` and `!=`; functions are not called"))
}
