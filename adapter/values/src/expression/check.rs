//! Expressions before there is a program: names, fields and types, and the quick form of what is simple.
//!
//! The mirror of [`super::evaluation`]. What depends on the program's memory is accepted here.

use weft_symbols::Type;

use super::evaluation::{Named, captured_names, named, variant_alone};
use super::loading::{discriminant, enumeration_number, load, number, payload};
use super::location::Location;
use super::operators::{self, Target};
use super::quick::{MAX_TEXT, Operation};
use super::spot::{Found, Held, Spot, Step};
use super::syntax::{Bounds, Logical, Node, Operator};
use super::value::{Kind, MAX_DEREFS, Value};
use super::{EvaluateError, TaskVariable, variants};
use crate::{Meta, Stop, ValueError};

/// What a part of an expression is known to be.
pub(super) enum Typed {
    /// Something in the program.
    Spot(Box<Spot>),
    /// Known already.
    Constant(Value),
    /// Computed, with the operations that do it.
    Computed(Kind, Option<Vec<Operation>>),
    /// Only the program's memory tells.
    Unknown,
}

impl Typed {
    pub(super) fn spot(spot: Spot) -> Self {
        Self::Spot(Box::new(spot))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Spot(spot) => spot.value().0,
            Self::Constant(value) => value.kind(),
            Self::Computed(kind, _) => kind.clone(),
            Self::Unknown => Kind::Unknown,
        }
    }

    /// The operations that leave its value on the stack.
    pub(super) fn operations(self) -> Option<Vec<Operation>> {
        match self {
            Self::Spot(spot) => load(&spot),
            Self::Constant(value) => Some(vec![Operation::Push(number(&value)?)]),
            Self::Computed(_, operations) => operations,
            Self::Unknown => None,
        }
    }
}

/// Checks expressions for one place in the code.
pub(super) struct Check<'a> {
    pub(super) location: &'a Location<'a>,
    /// A program without memory: constants are computed in it.
    pub(super) nowhere: &'a Stop,
}

impl Check<'_> {
    pub(super) fn typed(&self, node: &Node) -> Result<Typed, EvaluateError> {
        match node {
            Node::Literal(literal) => literal.value().map(Typed::Constant),
            Node::Path(name) => match self.location.lookup(name) {
                Some(spot) => spot.map(Typed::spot),
                None => Err(super::unknown(name, &self.location.names(), self.location.nameless().as_deref())),
            },
            Node::Field(base, name) => self.field(base, name),
            Node::Index(base, index) => self.index(base, index),
            Node::Slice(base, bounds) => self.slice(base, bounds),
            Node::Deref(inner) => self.deref(inner),
            Node::Negated(inner) => self.negated(inner),
            Node::Not(inner) => self.complement(inner),
            Node::Binary(operator, left, right) => self.binary(*operator, left, right),
            Node::Logical(operator, left, right) => self.logical(*operator, left, right),
            Node::Cast(inner, target) => self.cast(inner, target),
            Node::Variant(name, _) => Err(variant_alone(name)),
            Node::Method(base, name, arguments) => self.method(base, name, arguments),
        }
    }

    fn field(&self, base: &Node, name: &str) -> Result<Typed, EvaluateError> {
        let own = self.own_field(base, name);
        match (own, TaskVariable::of(base, name)) {
            (Err(error), Some(asked)) if TaskVariable::is_meant_after(&error) => {
                Ok(Typed::Computed(asked.kind(), None))
            }
            (own, _) => own,
        }
    }

    /// A field of something of the program's.
    fn own_field(&self, base: &Node, name: &str) -> Result<Typed, EvaluateError> {
        match self.typed(base) {
            Ok(Typed::Spot(spot)) => Ok(found(spot.field(name)?)),
            Ok(Typed::Unknown | Typed::Computed(Kind::Unknown, _)) => Ok(Typed::Unknown),
            Ok(other) => {
                Err(EvaluateError::NoField { name: name.to_owned(), ty: other.kind().name(), hint: String::new() })
            }
            Err(error @ EvaluateError::Unknown { .. }) => {
                let names = captured_names(base, name);
                names
                    .iter()
                    .find_map(|name| self.location.variable(name))
                    .map_or(Err(error), |spot| spot.map(Typed::spot))
            }
            Err(error) => Err(error),
        }
    }

    fn index(&self, base: &Node, index: &Node) -> Result<Typed, EvaluateError> {
        let base = self.typed(base)?;
        if is_map(&base) {
            self.argument(index)?;
            return Ok(Typed::Unknown);
        }
        let index = self.whole_number(index)?;
        Ok(match elements(&base)? {
            Some((element, of)) => {
                let held = index.operations().map_or(Held::Unknown, |index| of.element(index));
                Typed::spot(Spot::new(element, held))
            }
            None => Typed::Unknown,
        })
    }

    fn slice(&self, base: &Node, bounds: &Bounds) -> Result<Typed, EvaluateError> {
        let base = self.typed(base)?;
        for bound in [&bounds.start, &bounds.end].into_iter().flatten() {
            self.whole_number(bound)?;
        }
        Ok(match elements(&base)? {
            Some((element, _)) => {
                let mut spot = Spot::new(element, Held::Unknown);
                spot.place.meta = Meta::Length(0);
                Typed::spot(spot)
            }
            None => Typed::Unknown,
        })
    }

    fn whole_number(&self, index: &Node) -> Result<Typed, EvaluateError> {
        let index = self.typed(index)?;
        match index.kind() {
            Kind::Integer(_) | Kind::Unknown => Ok(index),
            other => Err(super::not_index(&other)),
        }
    }

    fn deref(&self, inner: &Node) -> Result<Typed, EvaluateError> {
        let spot = match self.typed(inner)? {
            Typed::Spot(spot) => spot,
            Typed::Unknown | Typed::Computed(Kind::Unknown, _) => return Ok(Typed::Unknown),
            other => return Err(ValueError::NotPointer(other.kind().name()).into()),
        };
        match spot.step() {
            Step::Through(target) => Ok(Typed::spot(target)),
            Step::Unknown => Ok(Typed::Unknown),
            _ => match spot.pointed() {
                Some(target) => Ok(found(target)),
                None => Err(ValueError::NotPointer(crate::short_type_name(spot.place.ty.path())).into()),
            },
        }
    }

    fn negated(&self, inner: &Node) -> Result<Typed, EvaluateError> {
        let inner = self.typed(inner)?;
        let kind = operators::negated(&inner.kind())?;
        if let Typed::Constant(value) = inner {
            return match value {
                Value::Integer(integer) => Ok(Typed::Constant(Value::Integer(integer.negated()?))),
                Value::Float(value, ty) => Ok(Typed::Constant(Value::Float(-value, ty))),
                other => Ok(Typed::Constant(other)),
            };
        }
        let operation = match kind {
            Kind::Integer(Some(ty)) if ty.size <= 8 => Some(Operation::Negate(ty)),
            _ => None,
        };
        Ok(Typed::Computed(kind, appended(inner, operation)))
    }

    fn complement(&self, inner: &Node) -> Result<Typed, EvaluateError> {
        let inner = self.typed(inner)?;
        let kind = operators::complement(&inner.kind())?;
        if let Typed::Constant(value) = inner {
            return Ok(Typed::Constant(match value {
                Value::Integer(integer) => Value::Integer(integer.complement()),
                Value::Bool(value) => Value::Bool(!value),
                other => other,
            }));
        }
        let operation = match kind {
            Kind::Integer(Some(ty)) if ty.size <= 8 => Some(Operation::Complement(ty)),
            Kind::Bool => Some(Operation::Not),
            _ => None,
        };
        Ok(Typed::Computed(kind, appended(inner, operation)))
    }

    fn cast(&self, inner: &Node, target: &str) -> Result<Typed, EvaluateError> {
        let inner = self.typed(inner)?;
        let from = inner.kind();
        let to = operators::cast(&from, target)?;
        if let Typed::Constant(value) = inner {
            return operators::converted(self.nowhere, value, target).map(Typed::Constant);
        }
        let operations = match (&from, to) {
            (Kind::Integer(_) | Kind::Bool | Kind::Char | Kind::Pointer(_), Target::Integer(ty)) if ty.size <= 8 => {
                appended(inner, Some(Operation::Cut(ty)))
            }
            (Kind::Enumeration(_), Target::Integer(ty)) if ty.size <= 8 => {
                let load = if let Typed::Spot(spot) = &inner { enumeration_number(spot) } else { None };
                load.map(|load| load.into_iter().chain([Operation::Cut(ty)]).collect())
            }
            _ => None,
        };
        Ok(Typed::Computed(to.kind(), operations))
    }

    fn logical(&self, operator: Logical, left: &Node, right: &Node) -> Result<Typed, EvaluateError> {
        let (left, right) = (self.typed(left)?, self.typed(right)?);
        operators::logical(operator, &left.kind())?;
        operators::logical(operator, &right.kind())?;
        let when = operator == Logical::Or;
        let operations = left.operations().map(|mut operations| {
            // A second side that is not simple is evaluated in full, if it is needed at all.
            let right = right.operations().unwrap_or_else(|| vec![Operation::GiveUp]);
            operations.push(Operation::Skip { when, count: right.len() });
            operations.extend(right);
            operations
        });
        Ok(Typed::Computed(Kind::Bool, operations))
    }

    fn binary(&self, operator: Operator, left: &Node, right: &Node) -> Result<Typed, EvaluateError> {
        if operator.is_equality() {
            let decided = |operations: Option<Vec<Operation>>| {
                let negated = (operator == Operator::Unequal).then_some(Operation::Not);
                Typed::Computed(Kind::Bool, operations.map(|it| it.into_iter().chain(negated).collect()))
            };
            if let Some(named) = self.named(right) {
                match self.typed(left) {
                    Ok(value) if self.is_meant(&value, named) => return self.is_variant(value, named).map(decided),
                    Ok(value) => return self.computed(operator, value, self.typed(right)?),
                    // Perhaps it is the left side that names a variant.
                    Err(EvaluateError::Unknown { .. } | EvaluateError::Unsupported(_))
                        if self.named(left).is_some() => {}
                    Err(error) => return Err(error),
                }
            }
            if let Some(named) = self.named(left) {
                let value = self.typed(right)?;
                if self.is_meant(&value, named) {
                    return self.is_variant(value, named).map(decided);
                }
                return self.computed(operator, self.typed(left)?, value);
            }
        }
        self.computed(operator, self.typed(left)?, self.typed(right)?)
    }

    fn computed(&self, operator: Operator, left: Typed, right: Typed) -> Result<Typed, EvaluateError> {
        let kind = operators::binary(operator, &left.kind(), &right.kind())?;
        match (left, right) {
            (Typed::Constant(left), Typed::Constant(right)) => {
                operators::apply(self.nowhere, operator, left, right).map(Typed::Constant)
            }
            (left, right) => {
                let (left, right) = adapted(operator, left, right)?;
                let operations = computed(operator, left, right);
                Ok(Typed::Computed(kind, operations))
            }
        }
    }

    pub(super) fn named<'n>(&self, node: &'n Node) -> Option<Named<'n>> {
        named(node).filter(|named| named.has_arguments() || self.location.variable(named.path).is_none())
    }

    /// Whether a variant is what a name beside this value means. Statics, which are looked for in all of the program, are
    /// asked last.
    fn is_meant(&self, value: &Typed, named: Named<'_>) -> bool {
        named.has_arguments()
            || matches!(value.kind(), Kind::Enumeration(ty) if variants::meant(&ty, named.path).is_ok())
            || self.location.lookup(named.path).is_none()
    }

    /// Checks a comparison with a variant; the operations, if it is simple.
    pub(super) fn is_variant(&self, value: Typed, named: Named<'_>) -> Result<Option<Vec<Operation>>, EvaluateError> {
        let Named { path, arguments } = named;
        let (ty, spot) = match value {
            Typed::Spot(spot) => match spot.value() {
                (Kind::Enumeration(ty), spot) => (ty, spot),
                (Kind::Unknown, _) => return Ok(None),
                (other, _) => return Err(self.no_variant(path, arguments, &other)),
            },
            Typed::Unknown | Typed::Computed(Kind::Unknown, _) => return Ok(None),
            other => return Err(self.no_variant(path, arguments, &other.kind())),
        };
        let name = variants::meant(&ty, path)?;
        if arguments.is_empty() {
            return Ok(spot.and_then(|spot| discriminant(&spot, &name)));
        }
        variants::check_arguments(&ty, &name, arguments.len())?;
        let held = spot.as_ref().and_then(|spot| payload(spot, &name));
        let mut operations = spot.as_ref().and_then(|spot| discriminant(spot, &name));
        for (index, argument) in arguments.iter().enumerate() {
            let field = held.as_ref().and_then(|held| held.member(&format!("__{index}")));
            let equal = self.equals(field.map_or(Typed::Unknown, Typed::spot), argument)?;
            operations = operations.map(|mut operations| {
                let equal = equal.unwrap_or_else(|| vec![Operation::GiveUp]);
                operations.push(Operation::Skip { when: false, count: equal.len() });
                operations.extend(equal);
                operations
            });
        }
        Ok(operations)
    }

    fn equals(&self, field: Typed, argument: &Node) -> Result<Option<Vec<Operation>>, EvaluateError> {
        if let Some(named) = self.named(argument).filter(|named| self.is_meant(&field, *named)) {
            return self.is_variant(field, named);
        }
        let argument = self.typed(argument)?;
        operators::binary(Operator::Equal, &field.kind(), &argument.kind())?;
        let (field, argument) = adapted(Operator::Equal, field, argument)?;
        Ok(computed(Operator::Equal, field, argument))
    }

    fn no_variant(&self, path: &str, arguments: &[Node], kind: &Kind) -> EvaluateError {
        super::no_variant(path, !arguments.is_empty(), kind, &self.location.names())
    }
}

fn found(found: Found) -> Typed {
    match found {
        Found::Spot(spot) => Typed::spot(spot),
        Found::Unknown => Typed::Unknown,
    }
}

fn appended(inner: Typed, operation: Option<Operation>) -> Option<Vec<Operation>> {
    let operation = operation?;
    let mut operations = inner.operations()?;
    operations.push(operation);
    Some(operations)
}

/// What a value is behind references, if it is a map or a set of the standard library.
pub(super) fn is_map(base: &Typed) -> bool {
    let Typed::Spot(spot) = base else { return false };
    let mut spot = Spot::clone(spot);
    for _ in 0..MAX_DEREFS {
        spot = match spot.step() {
            Step::Through(target) => target,
            Step::Leaf => {
                let path = crate::names::without_arguments(spot.place.ty.path());
                return ["HashMap", "HashSet", "BTreeMap", "BTreeSet"].iter().any(|name| path.ends_with(name));
            }
            _ => return false,
        };
    }
    false
}

/// The type of what an index counts, and what holds it; `None`: only the program tells.
fn elements(base: &Typed) -> Result<Option<(Type, Spot)>, EvaluateError> {
    let mut spot = match base {
        Typed::Spot(spot) => Spot::clone(spot),
        Typed::Unknown | Typed::Computed(Kind::Unknown, _) => return Ok(None),
        // Bytes that are written down can be indexed; nobody does.
        Typed::Constant(Value::Bytes(_) | Value::Text(_)) => return Ok(None),
        other => return Err(ValueError::NotSequence(other.kind().name()).into()),
    };
    let first = spot.place.ty.path().to_owned();
    for _ in 0..MAX_DEREFS {
        spot = match spot.step() {
            Step::Through(target) => target,
            Step::Items(element, _) => return Ok(Some((element, spot))),
            // The bytes of a `str`.
            Step::Text(_) if matches!(spot.place.meta, Meta::Str(_)) => return Ok(Some((spot.place.ty.clone(), spot))),
            Step::Text(_) if spot.place.meta != Meta::Sized => return Ok(None),
            Step::ByteText | Step::Unknown => return Ok(None),
            _ => {
                let path = if spot.place.ty.path().is_empty() { first } else { spot.place.ty.path().to_owned() };
                return Err(ValueError::NotSequence(crate::short_type_name(&path)).into());
            }
        };
    }
    Ok(None)
}

/// Literals take the type of the other side, and are to fit it.
fn adapted(operator: Operator, left: Typed, right: Typed) -> Result<(Typed, Typed), EvaluateError> {
    let typed_zero = |kind: &Kind| match kind {
        Kind::Integer(Some(ty)) => Some(Value::Integer(super::number::Integer::small(0, *ty))),
        Kind::Float(ty) => Some(Value::Float(0.0, *ty)),
        Kind::Pointer(name) => Some(Value::Pointer(weft_memory::MemAddr::new(0), name.clone())),
        _ => None,
    };
    Ok(match (left, right) {
        (Typed::Constant(value), other) => match typed_zero(&other.kind()) {
            Some(zero) => (Typed::Constant(operators::agreed(operator, value, zero)?.0), other),
            None => (Typed::Constant(value), other),
        },
        (other, Typed::Constant(value)) => match typed_zero(&other.kind()) {
            Some(zero) => (other, Typed::Constant(operators::agreed(operator, zero, value)?.1)),
            None => (other, Typed::Constant(value)),
        },
        both => both,
    })
}

/// The operations of `left operator right`, whose kinds go together.
fn computed(operator: Operator, left: Typed, right: Typed) -> Option<Vec<Operation>> {
    let operation = match (left.kind(), right.kind()) {
        (Kind::Text(_), Kind::Text(_)) | (Kind::Bytes(_), Kind::Bytes(_)) => return text(operator, &left, &right),
        (Kind::Unknown | Kind::Enumeration(_), _) | (_, Kind::Unknown | Kind::Enumeration(_)) => return None,
        (Kind::Float(_), _) if operator.is_comparison() => Operation::CompareFloats(operator),
        (Kind::Integer(Some(ty)), _) if operator.is_comparison() && ty.size <= 8 => Operation::Compare(operator),
        (Kind::Bool | Kind::Char | Kind::Pointer(_), _) if operator.is_comparison() => Operation::Compare(operator),
        (Kind::Integer(Some(ty)), _) if ty.size <= 8 => Operation::Arithmetic(operator, ty),
        // Of a bool, `&`, `|` and `^` are those of a number of one bit.
        (Kind::Bool, Kind::Bool) => Operation::Arithmetic(operator, super::number::IntegerType::named("u8")?),
        _ => return None,
    };
    let mut operations = left.operations()?;
    operations.extend(right.operations()?);
    operations.push(operation);
    Some(operations)
}

/// A text in the program compared with a written one.
fn text(operator: Operator, left: &Typed, right: &Typed) -> Option<Vec<Operation>> {
    let (spot, text) = match (left, right) {
        (Typed::Spot(spot), Typed::Constant(Value::Text(text) | Value::Bytes(text)))
        | (Typed::Constant(Value::Text(text) | Value::Bytes(text)), Typed::Spot(spot)) => (spot, text),
        _ => return None,
    };
    let run = match spot.value().1?.step() {
        Step::Text(run) | Step::Items(_, run) => run?,
        _ => return None,
    };
    if text.len() > MAX_TEXT || !operator.is_equality() {
        return None;
    }
    let mut operations = vec![Operation::Text { run, text: text.clone().into() }];
    operations.extend((operator == Operator::Unequal).then_some(Operation::Not));
    Some(operations)
}
