//! Methods of known types that only look: `.len()`, `.is_some()`, `.get(key)`. Nothing of the program runs: what the
//! method would say is read.

use super::evaluation::{Evaluation, Named, Operand};
use super::number::{Integer, IntegerType};
use super::reach::{self, Items, hint};
use super::syntax::{Node, Operator};
use super::value::{Content, Value};
use super::{EvaluateError, operators, variants};
use crate::names::without_arguments;
use crate::view::{Entries, Reached, is_raw_pointer, reached};
use crate::{Place, Stop, ValueError};
use weft_symbols::{Type, TypeKind};

/// Most entries of a map, and elements of a list, that are compared with what is looked for.
const MAX_SEARCHED: u64 = 1 << 18;
/// Entries that are found at once.
const CHUNK: u64 = 4096;

/// What a method says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// The value itself: references are looked through, and nothing is copied.
    Itself,
    /// What a cell or lock holds, whoever else holds it.
    Inside,
    Len,
    IsEmpty,
    Capacity,
    /// Whether it is in this variant.
    Is(&'static str),
    /// What one of these two variants holds.
    Unwrap([&'static str; 2]),
    UnwrapOr,
    /// What this variant holds, if it is in it.
    Held(&'static str),
    /// The element at an index, or the value of a key.
    Get,
    First,
    Last,
    /// Of an iterator.
    Nth,
    Count,
    Contains,
    ContainsKey,
    /// Of a `Weak`.
    Upgrade,
    StartsWith,
    EndsWith,
}

/// Name, what it says, and how many arguments it takes.
const METHODS: [(&str, Method, usize); 68] = [
    ("upgrade", Method::Upgrade, 0),
    ("len", Method::Len, 0),
    ("is_empty", Method::IsEmpty, 0),
    ("capacity", Method::Capacity, 0),
    ("is_some", Method::Is("Some"), 0),
    ("is_none", Method::Is("None"), 0),
    ("is_ok", Method::Is("Ok"), 0),
    ("is_err", Method::Is("Err"), 0),
    ("is_ready", Method::Is("Ready"), 0),
    ("is_pending", Method::Is("Pending"), 0),
    ("unwrap", Method::Unwrap(["Some", "Ok"]), 0),
    ("expect", Method::Unwrap(["Some", "Ok"]), 1),
    ("unwrap_err", Method::Unwrap(["Err", "Err"]), 0),
    ("expect_err", Method::Unwrap(["Err", "Err"]), 1),
    ("unwrap_or", Method::UnwrapOr, 1),
    ("ok", Method::Held("Ok"), 0),
    ("err", Method::Held("Err"), 0),
    ("get", Method::Get, 1),
    ("get_mut", Method::Get, 1),
    ("first", Method::First, 0),
    ("front", Method::First, 0),
    ("last", Method::Last, 0),
    ("back", Method::Last, 0),
    ("next", Method::First, 0),
    ("nth", Method::Nth, 1),
    ("count", Method::Count, 0),
    ("contains", Method::Contains, 1),
    ("contains_key", Method::ContainsKey, 1),
    ("starts_with", Method::StartsWith, 1),
    ("ends_with", Method::EndsWith, 1),
    ("get", Method::Inside, 0),
    ("borrow", Method::Inside, 0),
    ("borrow_mut", Method::Inside, 0),
    ("try_borrow", Method::Inside, 0),
    ("try_borrow_mut", Method::Inside, 0),
    ("lock", Method::Inside, 0),
    ("try_lock", Method::Inside, 0),
    ("blocking_lock", Method::Inside, 0),
    ("read", Method::Inside, 0),
    ("try_read", Method::Inside, 0),
    ("write", Method::Inside, 0),
    ("try_write", Method::Inside, 0),
    ("get_mut", Method::Inside, 0),
    ("into_inner", Method::Inside, 0),
    ("load", Method::Itself, 1),
    ("as_ref", Method::Itself, 0),
    ("as_mut", Method::Itself, 0),
    ("as_deref", Method::Itself, 0),
    ("as_deref_mut", Method::Itself, 0),
    ("deref", Method::Itself, 0),
    ("as_str", Method::Itself, 0),
    ("as_bytes", Method::Itself, 0),
    ("as_slice", Method::Itself, 0),
    ("as_path", Method::Itself, 0),
    ("as_os_str", Method::Itself, 0),
    ("to_owned", Method::Itself, 0),
    ("to_vec", Method::Itself, 0),
    ("to_string", Method::Itself, 0),
    ("clone", Method::Itself, 0),
    ("cloned", Method::Itself, 0),
    ("copied", Method::Itself, 0),
    ("iter", Method::Itself, 0),
    ("iter_mut", Method::Itself, 0),
    ("into_iter", Method::Itself, 0),
    ("keys", Method::Itself, 0),
    ("values", Method::Itself, 0),
    ("chars", Method::Itself, 0),
    ("bytes", Method::Itself, 0),
];

/// The methods' names, each once.
pub(super) fn names() -> Vec<String> {
    let mut names: Vec<String> = METHODS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// The method of that name; if there is none, what can be done instead.
pub(super) fn method(name: &str, arguments: usize) -> Result<Method, EvaluateError> {
    let mut named = METHODS.iter().filter(|(known, ..)| *known == name).peekable();
    if named.peek().is_none() {
        let alike: Vec<String> =
            names().into_iter().filter(|known| known.chars().next() == name.chars().next()).collect();
        return Err(super::unsupported(&format!(
            "`{name}` is a function of the program, and those are not called{}",
            hint(name, &alike)
        )));
    }
    let takes = named.peek().map_or(0, |(.., takes)| *takes);
    let found = named.find(|(.., takes)| *takes == arguments);
    found.map(|(_, method, _)| *method).ok_or_else(|| {
        EvaluateError::Mismatch(format!("`.{name}(..)` takes {takes} values in its brackets, not {arguments}"))
    })
}

/// What an iterator goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Items,
    Keys,
    Values,
    Chars,
}

/// The iterator that a node is, with what it goes over.
fn iterator(node: &Node) -> Option<(&Node, Over)> {
    let Node::Method(base, name, arguments) = node else { return None };
    let over = match name.as_str() {
        _ if !arguments.is_empty() => return None,
        "iter" | "iter_mut" | "into_iter" | "bytes" => Over::Items,
        "keys" => Over::Keys,
        "values" => Over::Values,
        "chars" => Over::Chars,
        "cloned" | "copied" => return iterator(base),
        _ => return None,
    };
    Some((base, over))
}

/// What a node takes out of a cell or lock: the holder, and by which method.
pub(super) fn taken_out(node: &Node) -> Option<(&Node, &str)> {
    match node {
        Node::Method(base, name, arguments) if method(name, arguments.len()) == Ok(Method::Inside) => {
            Some((base, name))
        }
        _ => None,
    }
}

/// Whether a method of a cell or lock answers with a `Result` or `Option`, which is looked through. Only the standard library's locks
/// can be poisoned.
pub(super) fn gives_result(name: &str, holder: &str) -> bool {
    let is_std_lock = holder.starts_with("std::sync::");
    name.starts_with("try_") || is_std_lock && matches!(name, "lock" | "read" | "write" | "into_inner" | "get_mut")
}

/// Crates whose types are known: methods of other types are the program's own.
const HOMES: [&str; 11] = [
    "core::",
    "alloc::",
    "std::",
    "hashbrown::",
    "tokio::",
    "lock_api::",
    "parking_lot::",
    "bytes::",
    "smallvec::",
    "http::",
    "once_cell::",
];

/// Refuses what is said to leave a value as it is, where it is the program's own function or would show something else.
pub(super) fn check_itself(place: &Place, name: &str) -> Result<(), EvaluateError> {
    let path = without_arguments(place.ty.path());
    let is_own = match place.ty.kind() {
        TypeKind::Struct { .. } | TypeKind::Union(_) | TypeKind::Enumeration { .. } => {
            !place.is_wide_pointer() && !HOMES.iter().any(|home| path.starts_with(home))
        }
        _ => false,
    };
    if is_own || (name == "load" && !is_atomic(place)) { Err(no_method(place, name)) } else { Ok(()) }
}

/// Whether it is a number that threads share.
pub(super) fn is_atomic(place: &Place) -> bool {
    place.ty.path().starts_with("core::sync::atomic::")
}

/// Methods that a reference or box has itself; others are of what it refers to.
pub(super) fn is_of_pointer(name: &str) -> bool {
    matches!(name, "clone" | "as_ref" | "as_mut" | "deref" | "as_deref" | "as_deref_mut" | "cloned" | "copied")
}

/// Iterators that are no list of what they go over.
pub(super) fn check_shown(name: &str) -> Result<(), EvaluateError> {
    match name {
        "keys" | "values" | "chars" | "bytes" => Err(super::unsupported(&format!(
            "an iterator is not shown by itself: take `.{name}().count()`, `.{name}().nth(0)`, or the whole without `.{name}()`"
        ))),
        _ => Ok(()),
    }
}

impl Evaluation<'_> {
    /// `base.name(arguments)`.
    pub(super) fn method(&self, base: &Node, name: &str, arguments: &[Node]) -> Result<Operand, EvaluateError> {
        let method = method(name, arguments.len())?;
        if let Some((of, over)) = iterator(base) {
            let looked_at = matches!(method, Method::First | Method::Last | Method::Nth | Method::Count);
            if looked_at {
                return self.of_iterator(of, over, method, arguments);
            }
        }
        let value = match method {
            Method::Itself => return self.itself(base, name),
            Method::Upgrade => found(self.upgraded(base, name)?),
            Method::Inside => return inside(self.stop, &self.place(base)?, name).map(Operand::Place),
            Method::Len | Method::Count => usize_value(self.items(base, name)?.len()),
            Method::IsEmpty => Value::Bool(self.items(base, name)?.len() == 0),
            Method::Capacity => match self.items(base, name)?.capacity() {
                Some(capacity) => usize_value(capacity),
                None => return Err(no_method(&self.place(base)?, name)),
            },
            Method::Is(variant) => Value::Bool(self.is_in(base, variant, name)?),
            Method::Unwrap(_) if self.is_result_of_lock(base)? => return self.operand(base),
            Method::Unwrap(variants) => return self.unwrapped(base, variants, name),
            Method::UnwrapOr => match self.held(base, &["Some", "Ok"], name)? {
                Ok(place) => return Ok(Operand::Place(place)),
                Err(_) => return self.argument(arguments),
            },
            Method::Held(variant) => found(self.held(base, &[variant], name)?.ok()),
            Method::Get => self.get(base, arguments, name)?,
            Method::First => self.nth(&self.items(base, name)?, 0, Over::Items)?,
            Method::Last => {
                let items = self.items(base, name)?;
                self.nth(&items, items.len().wrapping_sub(1), Over::Items)?
            }
            Method::Nth => return Err(no_method(&self.place(base)?, name)),
            Method::Contains => Value::Bool(self.contains(base, arguments, name)?),
            Method::ContainsKey => match self.items(base, name)? {
                Items::Entries(entries) => Value::Bool(self.entry(&entries, first(arguments)?)?.is_some()),
                _ => return Err(no_method(&self.place(base)?, name)),
            },
            Method::StartsWith | Method::EndsWith => {
                let (text, part) = (self.bytes(base, name)?, self.needle(first(arguments)?)?);
                Value::Bool(match method {
                    Method::StartsWith => text.starts_with(&part),
                    _ => text.ends_with(&part),
                })
            }
        };
        Ok(Operand::Value(value))
    }

    fn argument(&self, arguments: &[Node]) -> Result<Operand, EvaluateError> {
        self.operand(first(arguments)?)
    }

    /// A value that a method leaves as it is.
    fn itself(&self, base: &Node, name: &str) -> Result<Operand, EvaluateError> {
        check_shown(name)?;
        let operand = self.operand(base)?;
        if let Operand::Place(place) = &operand {
            let looked_at = match is_of_pointer(name) {
                true => referred(self.stop, place, is_plain_reference),
                false => referred(self.stop, place, |place| !is_atomic(place)),
            };
            check_itself(&looked_at, name)?;
        }
        if name == "to_string" && !matches!(self.value(base)?, Value::Text(_) | Value::ProgramText(..)) {
            let value = self.value(base)?;
            return Err(no_method_on(&value.kind().name(), name));
        }
        Ok(operand)
    }

    /// Whether what is unwrapped came of a lock: its `Result` has been looked through.
    fn is_result_of_lock(&self, node: &Node) -> Result<bool, EvaluateError> {
        let Some((base, name)) = taken_out(node) else { return Ok(false) };
        let holder = holder(self.stop, &self.place(base)?)?;
        Ok(holder.is_some_and(|(holder, _)| gives_result(name, holder.ty.path())))
    }

    /// What a `Weak` refers to, if that is still there.
    fn upgraded(&self, base: &Node, name: &str) -> Result<Option<Place>, EvaluateError> {
        let place = self.place(base)?;
        if !without_arguments(place.ty.path()).ends_with("::Weak") {
            return Err(no_method(&place, name));
        }
        match reached(self.stop, &place)? {
            Reached::Fields(fields) => Ok(fields.into_iter().next().map(|child| child.place).transpose()?),
            _ => Ok(None),
        }
    }

    /// What has a length.
    fn items(&self, base: &Node, name: &str) -> Result<Items, EvaluateError> {
        let place = self.place(base)?;
        reach::items(self.stop, &place)?.ok_or_else(|| no_method(&place, name))
    }

    fn of_iterator(&self, of: &Node, over: Over, method: Method, arguments: &[Node]) -> Result<Operand, EvaluateError> {
        if over == Over::Chars {
            return self.of_chars(of, method, arguments).map(Operand::Value);
        }
        let items = self.items(of, "iter")?;
        let value = match method {
            Method::Count => usize_value(items.len()),
            Method::Last => self.nth(&items, items.len().wrapping_sub(1), over)?,
            Method::Nth => self.nth(&items, self.number(first(arguments)?, items.len())?, over)?,
            _ => self.nth(&items, 0, over)?,
        };
        Ok(Operand::Value(value))
    }

    fn of_chars(&self, of: &Node, method: Method, arguments: &[Node]) -> Result<Value, EvaluateError> {
        let text = self.bytes(of, "chars")?;
        let text = String::from_utf8_lossy(&text);
        let count = || u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        let char = match method {
            Method::Count => return Ok(usize_value(count())),
            Method::Last => text.chars().next_back(),
            Method::Nth => {
                let index = self.number(first(arguments)?, count())?;
                usize::try_from(index).ok().and_then(|index| text.chars().nth(index))
            }
            _ => text.chars().next(),
        };
        char.map(Value::Char).ok_or_else(|| EvaluateError::Unavailable("`None`: the text has no such character".into()))
    }

    /// The item at an index, if there is one.
    fn nth(&self, items: &Items, index: u64, over: Over) -> Result<Value, EvaluateError> {
        Ok(found(match items {
            Items::Sequence(sequence) | Items::Text(sequence) if index < sequence.len => Some(sequence.get(index)?),
            Items::Entries(entries) if index < entries.len() => {
                let entry = entries.range(self.stop, index, 1)?.into_iter().next();
                match (over, entry) {
                    (Over::Items, Some((_, Some(_)))) => {
                        return Err(EvaluateError::Mismatch(
                            "a map's entry is no value of its own: take `.keys()` or `.values()` of the map".into(),
                        ));
                    }
                    (Over::Values, Some((_, value))) => value,
                    (_, Some((key, _))) => Some(key),
                    (_, None) => None,
                }
            }
            _ => None,
        }))
    }

    fn get(&self, base: &Node, arguments: &[Node], name: &str) -> Result<Value, EvaluateError> {
        let argument = first(arguments)?;
        Ok(found(match self.items(base, name)? {
            Items::Sequence(sequence) | Items::Text(sequence) => {
                let index = self.number(argument, sequence.len)?;
                (index < sequence.len).then(|| sequence.get(index)).transpose()?
            }
            Items::Entries(entries) => self.entry(&entries, argument)?.map(|(key, value)| value.unwrap_or(key)),
        }))
    }

    /// `map[key]`.
    pub(super) fn value_of_key(&self, entries: &Entries, key: &Node) -> Result<Place, EvaluateError> {
        if entries.is_set() {
            return Err(EvaluateError::Mismatch(
                "only maps have keys: ask `.contains(value)`, or `.iter().nth(0)`".into(),
            ));
        }
        match self.entry(entries, key)? {
            Some((key, value)) => Ok(value.unwrap_or(key)),
            None => {
                Err(EvaluateError::Unavailable(format!("there is no such key among the {} of this map", entries.len())))
            }
        }
    }

    /// The entry of a key. All are compared: how the program hashes and orders its keys is its own affair.
    fn entry(&self, entries: &Entries, key: &Node) -> Result<Option<(Place, Option<Place>)>, EvaluateError> {
        let wanted = self.wanted(key)?;
        let mut at = 0_u64;
        while at < entries.len() {
            if at >= MAX_SEARCHED {
                return Err(ValueError::Bound("262,144 entries of a map").into());
            }
            for entry in entries.range(self.stop, at, CHUNK)? {
                if self.is_wanted(&entry.0, key, wanted.as_ref())? {
                    return Ok(Some(entry));
                }
            }
            at = at.saturating_add(CHUNK);
        }
        Ok(None)
    }

    /// What is looked for, read once; nothing for the name of a variant.
    fn wanted(&self, node: &Node) -> Result<Option<Value>, EvaluateError> {
        if self.named(node).is_some() {
            return Ok(None);
        }
        let value = self.value(node)?;
        Ok(Some(match value.content() {
            Some(content @ Content::InProgram(_)) if matches!(value, Value::ProgramText(..)) => {
                Value::Text(content.read(self.stop)?)
            }
            _ => value,
        }))
    }

    fn is_wanted(&self, place: &Place, node: &Node, wanted: Option<&Value>) -> Result<bool, EvaluateError> {
        let Some(wanted) = wanted else { return self.equals(place, node) };
        let own = Value::load(self.stop, place)?;
        let equal = operators::apply(self.stop, Operator::Equal, own, wanted.clone())?;
        Ok(matches!(equal, Value::Bool(true)))
    }

    fn contains(&self, base: &Node, arguments: &[Node], name: &str) -> Result<bool, EvaluateError> {
        let argument = first(arguments)?;
        match self.items(base, name)? {
            Items::Entries(entries) => Ok(self.entry(&entries, argument)?.is_some()),
            Items::Text(_) => {
                let (text, part) = (self.bytes(base, name)?, self.needle(argument)?);
                Ok(part.is_empty() || text.windows(part.len()).any(|window| window == part))
            }
            Items::Sequence(sequence) => {
                if sequence.len > MAX_SEARCHED {
                    return Err(ValueError::Bound("262,144 elements").into());
                }
                let wanted = self.wanted(argument)?;
                for index in 0..sequence.len {
                    if self.is_wanted(&sequence.get(index)?, argument, wanted.as_ref())? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// The bytes of a text, or of a list of bytes.
    fn bytes(&self, base: &Node, name: &str) -> Result<Vec<u8>, EvaluateError> {
        let value = self.value(base)?;
        match value.content() {
            Some(content) => Ok(content.read(self.stop)?),
            None => Err(no_method_on(&value.kind().name(), name)),
        }
    }

    /// What is looked for in a text.
    fn needle(&self, node: &Node) -> Result<Vec<u8>, EvaluateError> {
        match self.value(node)? {
            Value::Char(char) => Ok(char.to_string().into_bytes()),
            value => match value.content() {
                Some(content) => Ok(content.read(self.stop)?),
                None => Err(EvaluateError::Mismatch(format!(
                    "a text is searched for a text or a `char`, and this is `{}`",
                    value.kind().name()
                ))),
            },
        }
    }

    fn is_in(&self, base: &Node, variant: &'static str, name: &str) -> Result<bool, EvaluateError> {
        match self.value(base)? {
            value @ Value::Enumeration(_) => {
                let Value::Enumeration(place) = &value else { return Ok(false) };
                check_variant(&place.ty, variant, name)?;
                self.is_variant(value, Named { path: variant, arguments: &[] })
            }
            Value::Found(found) => Ok(found.is_some() == (variant == "Some")),
            other => Err(no_method_on(&other.kind().name(), name)),
        }
    }

    /// What one of these variants holds; otherwise the name of the variant that it is in.
    fn held(&self, base: &Node, wanted: &[&str], name: &str) -> Result<Result<Place, String>, EvaluateError> {
        let place = match self.value(base)? {
            Value::Enumeration(place) => place,
            Value::Found(found) => return Ok(found.map(|place| *place).ok_or_else(|| "None".to_owned())),
            other => return Err(no_method_on(&other.kind().name(), name)),
        };
        let known = variants::names(&place.ty);
        if !wanted.iter().any(|wanted| known.iter().any(|name| name == wanted)) || !is_of_core(&place.ty) {
            return Err(no_method_on(&crate::type_name(&place.ty), name));
        }
        let active = place.variant(self.stop)?;
        if wanted.contains(&active.name.as_str()) { Ok(Ok(active.place.member("__0")?)) } else { Ok(Err(active.name)) }
    }

    fn unwrapped(&self, base: &Node, wanted: [&str; 2], name: &str) -> Result<Operand, EvaluateError> {
        self.held(base, &wanted, name)?
            .map(Operand::Place)
            .map_err(|other| EvaluateError::Unavailable(format!("`.{name}()` would panic: the value is `{other}`")))
    }
}

fn first(arguments: &[Node]) -> Result<&Node, EvaluateError> {
    arguments.first().ok_or_else(|| EvaluateError::Mismatch("a value is missing in the brackets".to_owned()))
}

fn usize_value(number: u64) -> Value {
    Value::Integer(Integer::small(number, IntegerType::USIZE))
}

fn found(place: Option<Place>) -> Value {
    Value::Found(place.map(Box::new))
}

/// Refuses the program's own enums, whose methods of that name may say something else.
pub(super) fn check_variant(ty: &Type, variant: &str, name: &str) -> Result<(), EvaluateError> {
    let has_it = variants::names(ty).iter().any(|known| known == variant);
    if has_it && is_of_core(ty) { Ok(()) } else { Err(no_method_on(&crate::type_name(ty), name)) }
}

/// The methods that tell the variants of a core enum apart; none of others.
pub(super) fn methods_of_variants(ty: &Type) -> Vec<&'static str> {
    let known = variants::names(ty);
    let has = |variant: &str| is_of_core(ty) && known.iter().any(|name| name == variant);
    let of = METHODS.iter().filter(|(_, method, _)| match method {
        Method::Is(variant) | Method::Held(variant) => has(variant),
        Method::Unwrap([one, other]) => has(one) || has(other),
        _ => false,
    });
    of.map(|(name, ..)| *name).collect()
}

fn is_of_core(ty: &Type) -> bool {
    matches!(without_arguments(ty.path()), "core::option::Option" | "core::result::Result" | "core::task::poll::Poll")
}

/// The last component of paths of cells and locks, and the field that has what they hold.
const HOLDERS: [(&str, &str); 9] = [
    ("Cell", "value"),
    ("RefCell", "value"),
    ("UnsafeCell", "value"),
    ("Mutex", "data"),
    ("RwLock", "data"),
    ("FairMutex", "data"),
    ("ReentrantMutex", "data"),
    ("Mutex", "c"),
    ("RwLock", "c"),
];

/// The field in which a type of a known crate keeps what it guards.
pub(super) fn holder_fields(path: &str) -> impl Iterator<Item = &'static str> {
    let path = without_arguments(path);
    let is_known = HOMES.iter().any(|home| path.starts_with(home));
    let last = path.rsplit("::").next().filter(|_| is_known).unwrap_or_default().to_owned();
    HOLDERS.iter().filter(move |(holder, _)| *holder == last).map(|(_, field)| *field)
}

/// The cell or lock that a place is or refers to, with what it holds.
fn holder(stop: &Stop, base: &Place) -> Result<Option<(Place, Place)>, EvaluateError> {
    let mut place = base.clone();
    for _ in 0..super::value::MAX_DEREFS {
        let held = holder_fields(place.ty.path()).find_map(|field| place.member(field).ok());
        if let Some(held) = held {
            return Ok(Some((place, held.unwrap_cell())));
        }
        match reached(stop, &place)? {
            Reached::Through(target) => place = target,
            _ => break,
        }
    }
    Ok(None)
}

/// What a cell or lock holds, through references to it.
fn inside(stop: &Stop, base: &Place, name: &str) -> Result<Place, EvaluateError> {
    if let Some((_, held)) = holder(stop, base)? {
        return Ok(held);
    }
    let pointer = referred(stop, base, is_plain_reference);
    if name == "read" && is_raw_pointer(&pointer) {
        return Ok(pointer.deref(stop)?);
    }
    Err(no_method(base, name))
}

/// `&T` and `&mut T`, which have no methods of their own.
fn is_plain_reference(place: &Place) -> bool {
    place.ty.name().starts_with('&')
}

/// What a place refers to, through such pointers and wrappers.
fn referred(stop: &Stop, base: &Place, such: impl Fn(&Place) -> bool) -> Place {
    let mut place = base.clone();
    for _ in 0..super::value::MAX_DEREFS {
        if is_raw_pointer(&place) || !such(&place) {
            break;
        }
        match reached(stop, &place) {
            Ok(Reached::Through(target)) => place = target,
            _ => break,
        }
    }
    place
}

fn no_method(place: &Place, name: &str) -> EvaluateError {
    no_method_on(&crate::view::type_name(place), name)
}

pub(super) fn no_method_on(ty: &str, name: &str) -> EvaluateError {
    super::unsupported(&format!("`.{name}()` of `{ty}` is a function of the program, and those are not called"))
}
