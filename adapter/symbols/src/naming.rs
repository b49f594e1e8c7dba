//! What a function is called: from mangled names and paths of debug information to what a user reads.
//!
//! * The path of the crate with the impl's Self type: `mini_redis::server::Handler::run`, also for methods of traits
//!   (`<krate::P as krate::Area>::area` is `krate::P::area`). No hash, no generic arguments.
//! * The body of an `async fn` has the function's name.
//! * An async block adds ` {async block}`, a closure ` {closure}`, an async closure ` {async closure}`. All but the first
//!   of their kind in one function are numbered: ` {async block #2}`.
//! * A block that an attribute macro wrapped around a function's body has the function's name ([`crate::wrappers`]).

use crate::FunctionKind;

/// Crates of the standard library, and the one that its maps are made of.
const STANDARD: &[&str] = &[
    "std",
    "core",
    "alloc",
    "proc_macro",
    "test",
    "std_detect",
    "compiler_builtins",
    "panic_unwind",
    "panic_abort",
    "unwind",
    "hashbrown",
    "rustc_demangle",
];

/// First letters of the names of crates that are plumbing of async runtimes.
const PLUMBING: &[&str] = &["tokio", "futures", "async_", "tracing"];

/// Such crates that are named in full; the locks among them are what the runtimes' threads park in.
const PLUMBING_EXACTLY: &[&str] = &[
    "blocking",
    "event_listener",
    "lock_api",
    "mio",
    "parking_lot",
    "parking_lot_core",
    "polling",
    "pollster",
    "smol",
];

/// Whether a crate is part of the standard library, or of what it is made of.
pub fn is_standard(krate: &str) -> bool {
    STANDARD.contains(&krate)
}

/// Whether code of a crate is the user's: everything except the standard library and the runtimes' plumbing. The crate
/// is the first component of a function's path ([`crate::Function::krate`]). Functions of other languages have none, and
/// are not the user's: they are libc, start-up code and what the user's crates wrap.
pub fn is_user_code(krate: &str) -> bool {
    let plumbing = || PLUMBING_EXACTLY.contains(&krate) || PLUMBING.iter().any(|prefix| krate.starts_with(prefix));
    !krate.is_empty() && !STANDARD.contains(&krate) && !plumbing()
}

/// What the compiler calls what has no name in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unnamed {
    Closure,
    AsyncFn,
    AsyncBlock,
    AsyncClosure,
    /// `{impl#N}`.
    Impl,
    /// Another `{..}`: `{constant#0}`, `{extern#1}`, `{shim:vtable#0}`.
    Other,
}

/// One component of a path of debug information, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Component<'a> {
    /// Without generic arguments.
    pub(crate) text: &'a str,
    /// What it is if it is unnamed, with its number.
    pub(crate) unnamed: Option<(Unnamed, u32)>,
    /// `{.._env#N}`: what a closure or coroutine captures, a type.
    pub(crate) environment: bool,
}

impl<'a> Component<'a> {
    /// Takes a name apart.
    pub(crate) fn parse(name: &'a str) -> Self {
        let text = without_generics(name);
        let named = Self { text, unnamed: None, environment: false };
        let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else { return named };
        let (word, number) = inner.split_once('#').unwrap_or((inner, "0"));
        let number = number.parse().unwrap_or(0);
        let (word, environment) = match word.strip_suffix("_env") {
            Some(word) => (word, true),
            None => (word, false),
        };
        let unnamed = match word {
            "closure" => Unnamed::Closure,
            "async_fn" => Unnamed::AsyncFn,
            "async_block" => Unnamed::AsyncBlock,
            "async_closure" => Unnamed::AsyncClosure,
            "impl" => Unnamed::Impl,
            _ => Unnamed::Other,
        };
        Self { text, unnamed: Some((unnamed, number)), environment }
    }

    /// Names that another of the same kind would have: its function's and its environment's.
    pub(crate) fn sibling(&self, number: u32) -> Option<(String, String)> {
        let word = match self.unnamed?.0 {
            Unnamed::Closure => "closure",
            Unnamed::AsyncBlock => "async_block",
            _ => return None,
        };
        Some((format!("{{{word}#{number}}}"), format!("{{{word}_env#{number}}}")))
    }

    fn is_unnamed(&self, what: Unnamed) -> bool {
        self.unnamed.is_some_and(|(unnamed, _)| unnamed == what)
    }

    /// A coroutine's environment or poll function.
    pub(crate) fn is_coroutine(&self) -> bool {
        [Unnamed::AsyncFn, Unnamed::AsyncBlock, Unnamed::AsyncClosure].iter().any(|what| self.is_unnamed(*what))
    }

    pub(crate) fn is_environment_of_coroutine(&self) -> bool {
        self.environment && self.is_coroutine()
    }
}

/// The kind of a function by the last component of its path and its mangled name.
pub(crate) fn kind(name: &str, linkage_name: Option<&str>) -> FunctionKind {
    match Component::parse(name).unnamed {
        Some((Unnamed::AsyncFn, _)) => FunctionKind::AsyncFn,
        Some((Unnamed::AsyncBlock, _)) => FunctionKind::AsyncBlock,
        Some((Unnamed::AsyncClosure, _)) => FunctionKind::AsyncClosure,
        Some((Unnamed::Closure, _)) => FunctionKind::Closure,
        Some((Unnamed::Other, _)) if name.starts_with("{shim") => FunctionKind::Glue,
        _ if matches!(without_generics(name), "drop_in_place" | "drop_glue") => FunctionKind::Glue,
        _ if linkage_name.is_some_and(is_shim) => FunctionKind::Glue,
        _ => FunctionKind::Plain,
    }
}

/// A mangled name of a function that the compiler made: legacy `{{vtable.shim}}`, v0 `{shim:..}`.
fn is_shim(linkage_name: &str) -> bool {
    linkage_name.contains(".shim$u7d$")
        || (linkage_name.starts_with("_R") && linkage_name.contains("NS"))
            && rustc_demangle::try_demangle(linkage_name).is_ok_and(|name| format!("{name:#}").contains("{shim:"))
}

/// What must be looked up to name a function.
pub(crate) trait Facts {
    /// The path of the impl's Self type, for a path with an `{impl#N}` that no mangled name explains.
    fn self_type(&self) -> Option<String>;
    /// Whether the block at that place of the path was made by an attribute macro.
    fn is_wrapper(&self, at: usize) -> bool;
    /// Which of its kind in its function the block or closure at that place of the path is, from 1. `number` is the
    /// compiler's, which counts blocks and closures together, from 0.
    fn ordinal(&self, at: usize, number: u32) -> u32;
}

/// What a user reads for a function. `components` is its path, its own name last; `linkage_name` its mangled name.
pub(crate) fn display(components: &[String], linkage_name: Option<&str>, facts: &impl Facts) -> String {
    let parsed: Vec<_> = components.iter().map(|name| Component::parse(name)).collect();
    let named = parsed.iter().rposition(|component| component.unnamed.is_none());
    let body = named.map_or(0, |at| at.saturating_add(1));
    let mut name = linkage_name
        .and_then(demangled_path)
        .unwrap_or_else(|| plain_path(parsed.get(..body).unwrap_or_default(), || facts.self_type()));
    for (at, component) in parsed.iter().enumerate().skip(body) {
        let Some((unnamed, number)) = component.unnamed else { continue };
        let in_async_closure = || {
            let next = at.checked_add(1).and_then(|next| parsed.get(next));
            next.is_some_and(|next| next.is_unnamed(Unnamed::AsyncClosure))
        };
        let word = match unnamed {
            Unnamed::AsyncBlock if !facts.is_wrapper(at) => "async block",
            Unnamed::Closure if in_async_closure() => "async closure",
            Unnamed::Closure => "closure",
            _ => continue,
        };
        name.push_str(" {");
        name.push_str(word);
        // The compiler's first one is the first of its kind, whatever else there is.
        let ordinal = if number == 0 { 1 } else { facts.ordinal(at, number) };
        if ordinal > 1 {
            name.push_str(&format!(" #{ordinal}"));
        }
        name.push('}');
    }
    name
}

/// The path of debug information without what has no name in the source; an impl gives way to its Self type.
fn plain_path(components: &[Component<'_>], self_type: impl FnOnce() -> Option<String>) -> String {
    let implementation = components.iter().rposition(|component| component.is_unnamed(Unnamed::Impl));
    let mut parts: Vec<String> = Vec::new();
    let mut rest = components;
    if let (Some(at), Some(self_type)) = (implementation, implementation.and_then(|_| self_type())) {
        parts.push(without_any_generics(&self_type));
        rest = components.get(at..).unwrap_or_default();
    }
    parts
        .extend(rest.iter().filter(|component| component.unnamed.is_none()).map(|component| component.text.to_owned()));
    parts.join("::")
}

/// The path in a mangled name, down to the last function that has a name. `None`: not a Rust name.
pub(crate) fn demangled_path(linkage_name: &str) -> Option<String> {
    let demangled = format!("{:#}", rustc_demangle::try_demangle(linkage_name).ok()?);
    let mut parts: Vec<String> = Vec::new();
    for (at, component) in split_path(&demangled).into_iter().enumerate() {
        if component.starts_with('{') {
            continue;
        }
        let Some(inner) = component.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
            parts.push(without_generics(component).to_owned());
            continue;
        };
        if let Some(inner) = inner.strip_prefix("impl ") {
            // An impl that lies in another module than its type: `a::<impl b::Trait for c::T>::f`, `a::<impl c::T>::f`.
            let self_type = split_at_word(inner, " for ").map_or(inner, |(_, self_type)| self_type);
            if is_nominal(self_type) {
                parts.clear();
                parts.push(without_any_generics(self_type));
            } else {
                parts.push(format!("<impl {}>", without_any_generics(inner)));
            }
        } else if at == 0 {
            let self_type = split_at_word(inner, " as ").map_or(inner, |(self_type, _)| self_type);
            let shown = if is_nominal(self_type) { self_type } else { component };
            parts.push(without_any_generics(shown));
        }
        // Else generic arguments of the function before them (v0: `f::<u8>`).
    }
    (!parts.is_empty()).then(|| parts.join("::"))
}

/// The modules and functions around the function of a mangled name, which debug information calls `name`. Empty for what
/// belongs to a type: its path does not begin with its crate.
pub(crate) fn scope(mangled: &str, name: &str) -> Vec<String> {
    let path = demangled_path(mangled).filter(|path| !path.starts_with('<')).unwrap_or_default();
    let mut scope: Vec<String> = split_path(&path).into_iter().map(str::to_owned).collect();
    if Component::parse(name).unnamed.is_none() {
        scope.pop();
    }
    scope
}

/// What a user reads for a symbol, where there is no debug information: the path, written as [`crate::Function::name`]
/// is. A mangled name does not tell async blocks from closures, so both are ` {closure}`. Names of other languages stay.
pub fn symbol_name(mangled: &str) -> String {
    let Some(mut name) = demangled_path(mangled) else { return mangled.to_owned() };
    let demangled = format!("{:#}", rustc_demangle::demangle(mangled));
    let closures = split_path(&demangled).into_iter().rev().take_while(|component| component.starts_with('{'));
    for _ in closures.filter(|component| component.contains("closure")) {
        name.push_str(" {closure}");
    }
    name
}

/// Whether a type is named by a path of its own: not a reference, slice, tuple, `dyn`, primitive or generic parameter.
fn is_nominal(ty: &str) -> bool {
    let head = without_generics(ty);
    let plain = head.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '#' || c == '{' || c == '}');
    plain && head.contains("::")
}

/// Follows brackets through a type or path. `->` is no bracket.
#[derive(Default)]
struct Nesting {
    depth: usize,
    previous: char,
}

impl Nesting {
    /// Takes a character in; says how deep what follows is.
    fn step(&mut self, c: char) -> usize {
        match c {
            '<' | '(' | '[' | '{' => self.depth = self.depth.saturating_add(1),
            '>' if self.previous == '-' => {}
            '>' | ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.previous = c;
        self.depth
    }
}

/// Components of a path, split at those `::` that are in no brackets.
pub(crate) fn split_path(path: &str) -> Vec<&str> {
    let mut components = Vec::new();
    let mut nesting = Nesting::default();
    let mut start = 0;
    let mut colon = false;
    for (at, c) in path.char_indices() {
        let outside = nesting.step(c) == 0;
        if outside && c == ':' && colon {
            components.push(path.get(start..at.saturating_sub(1)).unwrap_or_default());
            start = at.saturating_add(1);
            colon = false;
        } else {
            colon = outside && c == ':';
        }
    }
    components.push(path.get(start..).unwrap_or_default());
    components.retain(|component| !component.is_empty());
    components
}

/// Splits at a word that is in no brackets.
pub(crate) fn split_at_word<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let mut nesting = Nesting::default();
    for (at, c) in text.char_indices() {
        if nesting.depth == 0
            && let Some(rest) = text.get(at..).and_then(|rest| rest.strip_prefix(word))
        {
            return Some((text.get(..at)?, rest));
        }
        nesting.step(c);
    }
    None
}

/// A name without one balanced trailing `<..>`. A name that is nothing but that keeps it.
pub(crate) fn without_generics(name: &str) -> &str {
    if !name.ends_with('>') {
        return name;
    }
    let mut nesting = Nesting::default();
    let mut opened = None;
    for (at, c) in name.char_indices() {
        let before = nesting.depth;
        let after = nesting.step(c);
        if before == 0 && after == 1 && c == '<' {
            opened = Some(at);
        }
    }
    match opened {
        Some(at) if at > 0 && nesting.depth == 0 => {
            let head = name.get(..at).unwrap_or(name);
            head.strip_suffix("::").unwrap_or(head)
        }
        _ => name,
    }
}

/// A type or path without any `<..>` that stands behind a name.
pub(crate) fn without_any_generics(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut left_out = 0_usize;
    let mut previous = ' ';
    for c in text.chars() {
        let behind_name = previous.is_alphanumeric() || previous == '_' || previous == '}' || previous == ':';
        match c {
            '<' if left_out > 0 || behind_name => left_out = left_out.saturating_add(1),
            '>' if left_out > 0 && previous != '-' => left_out = left_out.saturating_sub(1),
            _ if left_out == 0 => out.push(c),
            _ => {}
        }
        previous = c;
    }
    // `Vec::<u8>` leaves its colons behind.
    out.replace("::::", "::").trim_end_matches("::").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function in which every second block is of another kind, and whose block at `wrapper` is one.
    struct Told {
        wrapper: Option<usize>,
    }

    impl Facts for Told {
        fn self_type(&self) -> Option<String> {
            Some(String::from("krate::Own<u8>"))
        }
        fn is_wrapper(&self, at: usize) -> bool {
            self.wrapper == Some(at)
        }
        fn ordinal(&self, _: usize, number: u32) -> u32 {
            number / 2 + 1
        }
    }

    fn shown(path: &str, linkage: Option<&str>) -> String {
        let components: Vec<String> = split_path(path).into_iter().map(str::to_owned).collect();
        display(&components, linkage, &Told { wrapper: None })
    }

    #[test]
    fn generics_are_stripped_in_balance() {
        assert_eq!(without_generics("{async_fn#0}<u8, Vec<u8>>"), "{async_fn#0}");
        assert_eq!(without_generics("Stage<prog::gen_svc::{async_fn_env#0}<S1>>"), "Stage");
        assert_eq!(without_generics("F<fn(u8) -> u8>"), "F");
        assert_eq!(without_generics("<impl u8>"), "<impl u8>");
        assert_eq!(without_generics("operator>"), "operator>");
        assert_eq!(without_generics("f::<u8>"), "f");
        assert_eq!(without_any_generics("Vec<Vec<u8>,A>::Into<fn() -> u8>::x"), "Vec::Into::x");
        assert_eq!(without_any_generics("<&T as core::convert::Into<U>>"), "<&T as core::convert::Into>");
    }

    #[test]
    fn components_tell_what_they_are() {
        assert_eq!(Component::parse("{async_block#12}<u8>").unnamed, Some((Unnamed::AsyncBlock, 12)));
        assert!(Component::parse("{async_fn_env#0}<T, U>").is_environment_of_coroutine());
        assert!(Component::parse("{async_closure_env#0}").is_environment_of_coroutine());
        assert!(!Component::parse("{closure_env#0}").is_environment_of_coroutine());
        assert!(!Component::parse("Stage<prog::{async_fn_env#0}>").is_environment_of_coroutine());
        assert_eq!(Component::parse("{constant#0}").unnamed, Some((Unnamed::Other, 0)));
        assert_eq!(Component::parse("run").unnamed, None);
    }

    #[test]
    fn legacy_names() {
        let name = demangled_path;
        assert_eq!(
            name(
                "_ZN43_$LT$symfix..P$u20$as$u20$symfix..Greet$GT$5greet28_$u7b$$u7b$closure$u7d$$u7d$17hec7a781bfec3c8a1E"
            ),
            Some("symfix::P::greet".into())
        );
        assert_eq!(
            name("_ZN6symfix1P6traced28_$u7b$$u7b$closure$u7d$$u7d$28_$u7b$$u7b$closure$u7d$$u7d$17h65b8c5d06b02b0f5E"),
            Some("symfix::P::traced".into())
        );
        assert_eq!(
            name("_ZN5alloc5boxed12Box$LT$T$GT$3new17hdf91fa071bf91708E"),
            Some("alloc::boxed::Box::new".into())
        );
        assert_eq!(
            name("_ZN50_$LT$T$u20$as$u20$core..convert..Into$LT$U$GT$$GT$4into17h0123456789abcdefE"),
            Some("<T as core::convert::Into>::into".into())
        );
        assert_eq!(
            name("_ZN4core3num23_$LT$impl$u20$usize$GT$11checked_add17h0123456789abcdefE"),
            Some("core::num::<impl usize>::checked_add".into())
        );
        assert_eq!(
            name("_ZN5krate1_61_$LT$impl$u20$krate..Trait$LT$u8$GT$$u20$for$u20$krate..P$GT$1f17h0123456789abcdefE"),
            Some("krate::P::f".into())
        );
        assert_eq!(name("main"), None);
    }

    #[test]
    fn symbols_alone() {
        assert_eq!(
            symbol_name(
                "_ZN6symfix6blocks28_$u7b$$u7b$closure$u7d$$u7d$28_$u7b$$u7b$closure$u7d$$u7d$17h1940576e23a5036aE"
            ),
            "symfix::blocks {closure} {closure}"
        );
        assert_eq!(symbol_name("_RNCNvMCs1234_7mycrateNtB4_1P6traced0B4_"), "mycrate::P::traced {closure}");
        assert_eq!(symbol_name("__libc_start_main"), "__libc_start_main");
    }

    #[test]
    fn v0_names() {
        assert_eq!(demangled_path("_RNvCs1234_7mycrate3foo"), Some("mycrate::foo".into()));
        assert_eq!(demangled_path("_RNvMCs1234_7mycrateNtB2_1P6traced"), Some("mycrate::P::traced".into()));
        assert_eq!(demangled_path("_RNCNvMCs1234_7mycrateNtB4_1P6traced0B4_"), Some("mycrate::P::traced".into()));
        assert_eq!(demangled_path("_RINvCs1234_7mycrate3foohE"), Some("mycrate::foo".into()));
    }

    #[test]
    fn bodies_blocks_and_closures() {
        assert_eq!(shown("krate::f::{async_fn#0}", None), "krate::f");
        assert_eq!(shown("krate::f::{async_fn#0}<u8>::{async_block#0}<u8>", None), "krate::f {async block}");
        assert_eq!(shown("krate::f::{async_block#2}::{closure#0}", None), "krate::f {async block #2} {closure}");
        assert_eq!(shown("krate::f::{closure#1}::{async_closure#0}", None), "krate::f {async closure}");
        assert_eq!(shown("krate::m::{impl#3}::run::{async_fn#0}", None), "krate::Own::run");
        assert_eq!(shown("krate::X::{constant#0}::{closure#0}", None), "krate::X {closure}");
        assert_eq!(shown("clone3", None), "clone3");
    }

    #[test]
    fn a_wrapper_has_its_functions_name() {
        let path = ["krate", "f", "{async_fn#0}", "{async_block#0}", "{async_block#0}"].map(String::from);
        assert_eq!(display(&path, None, &Told { wrapper: Some(3) }), "krate::f {async block}");
        assert_eq!(display(&path[..4], None, &Told { wrapper: Some(3) }), "krate::f");
    }

    #[test]
    fn kinds() {
        assert_eq!(kind("{async_fn#0}<u8>", None), FunctionKind::AsyncFn);
        assert_eq!(kind("{closure#3}", None), FunctionKind::Closure);
        assert_eq!(kind("drop_in_place<alloc::string::String>", None), FunctionKind::Glue);
        let shim = "_ZN4core3ops8function6FnOnce40call_once$u7b$$u7b$vtable.shim$u7d$$u7d$17h5d87c5e8fc35990aE";
        assert_eq!(kind("call_once<X>", Some(shim)), FunctionKind::Glue);
        assert_eq!(kind("run", None), FunctionKind::Plain);
    }

    #[test]
    fn whose_code() {
        for krate in ["mini_redis", "my_app", "hyper", "smolder", "mioco", "asynchrony"] {
            assert!(is_user_code(krate), "{krate}");
        }
        for krate in [
            "",
            "std",
            "core",
            "tokio",
            "tokio_util",
            "futures_util",
            "async_io",
            "smol",
            "blocking",
            "mio",
            "parking_lot_core",
            "pollster",
        ] {
            assert!(!is_user_code(krate), "{krate}");
        }
    }
}
