//! What somebody writes who looks for a function, and which names it fits.

use regex::RegexBuilder;

use crate::naming::{Component, split_path, without_any_generics, without_generics};

/// Bytes that a compiled pattern may take.
const MOST_PATTERN: usize = 1 << 20;
/// Bytes of a name or pattern that are looked at.
const MOST_TEXT: usize = 4096;

/// A function's name as a user writes it: a path (`krate::Handler::run`), the end of one (`Handler::run`, `run`), a
/// method by its trait (`Greet::greet`, `<P as Greet>::greet`), something unnamed in a function (`run {closure}`), or
/// `/a regular expression/` that is searched for in what functions are called.
#[derive(Clone, Debug)]
pub struct FunctionQuery {
    text: String,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Path {
        /// Components without generic arguments; the first may be a `<P as Greet>`.
        components: Vec<String>,
        /// ` {closure}` and the like, as names end with it.
        unnamed: String,
    },
    Pattern(regex::Regex),
}

/// How well a name fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The end of its path was written, or a pattern found.
    End,
    /// All of it was written.
    Whole,
}

/// What one function can be called.
#[derive(Debug)]
pub(super) struct Names<'a> {
    /// What a user reads ([`crate::Function::name`]).
    pub(super) shown: &'a str,
    /// The path of the debug information.
    pub(super) path: &'a str,
    /// The mangled name, which knows the trait of a method.
    pub(super) linkage: Option<&'a str>,
}

impl FunctionQuery {
    /// Takes it apart; a sentence if it is no name and no pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        if trimmed.len() > MOST_TEXT {
            return Err(format!("a function's name of more than {MOST_TEXT} bytes is not looked for"));
        }
        let how = match trimmed.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            Some("") => return Err("the regular expression between the slashes is empty".to_owned()),
            Some(pattern) => How::Pattern(
                RegexBuilder::new(pattern).size_limit(MOST_PATTERN).dfa_size_limit(MOST_PATTERN).build().map_err(
                    |error| format!("the regular expression is not valid: {}", last_line(&error.to_string())),
                )?,
            ),
            None => Self::path(trimmed)?,
        };
        Ok(Self { text: trimmed.to_owned(), how })
    }

    fn path(text: &str) -> Result<How, String> {
        let (path, unnamed) = match text.find(" {") {
            Some(at) => (text.get(..at).unwrap_or(text), text.get(at..).unwrap_or_default()),
            None => (text, ""),
        };
        let path = path.strip_suffix("()").unwrap_or(path).trim_start_matches("::");
        let components: Vec<String> = split_path(path)
            .into_iter()
            .enumerate()
            .filter(|(at, component)| *at == 0 || !component.starts_with('<'))
            .map(|(_, component)| without_generics(component).trim().to_owned())
            .collect();
        let is_name = |name: &String| {
            !name.is_empty()
                && (name.starts_with(['<', '{']) || name.chars().all(|c| c.is_alphanumeric() || "_.$@#&".contains(c)))
        };
        if components.is_empty() || !components.iter().all(is_name) {
            return Err(format!(
                "`{text}` is no function's name; write a path (`Handler::run`) or a /regular expression/"
            ));
        }
        Ok(How::Path { components, unnamed: unnamed.to_owned() })
    }

    /// What was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The last component that has a name: the name of the function itself, or of the one around what has none. None for
    /// patterns.
    pub(super) fn anchor(&self) -> Option<&str> {
        let How::Path { components, .. } = &self.how else { return None };
        components.iter().rev().map(String::as_str).find(|component| !component.starts_with(['{', '<']))
    }

    /// The pattern, if it is one.
    pub(super) fn pattern(&self) -> Option<&regex::Regex> {
        match &self.how {
            How::Pattern(pattern) => Some(pattern),
            How::Path { .. } => None,
        }
    }

    /// Whether only a symbol of another language can be meant as well: one plain name.
    pub(super) fn plain_symbol(&self) -> Option<&str> {
        match &self.how {
            How::Path { components, unnamed } if unnamed.is_empty() => match components.as_slice() {
                [only] if !only.starts_with(['{', '<']) => Some(only),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it means a function of these names.
    pub(super) fn fit(&self, names: &Names<'_>) -> Option<Fit> {
        let (components, unnamed) = match &self.how {
            How::Pattern(pattern) => return pattern.is_match(names.shown).then_some(Fit::End),
            How::Path { components, unnamed } => (components, unnamed),
        };
        if components.last().is_some_and(|last| last.starts_with('{')) {
            return end_of(components, &parts(names.path)).filter(|_| unnamed.is_empty());
        }
        let (shown, rest) = names.shown.find(" {").map_or((names.shown, ""), |at| names.shown.split_at(at));
        if rest != unnamed {
            return None;
        }
        let by_trait = || names.linkage.and_then(Implementation::of).and_then(|own| own.fit(components));
        end_of(components, &parts(shown)).or_else(by_trait)
    }
}

/// Components without generic arguments.
fn parts(path: &str) -> Vec<&str> {
    split_path(path).into_iter().map(without_generics).collect()
}

/// Whether `wanted` is how `path` ends.
fn end_of(wanted: &[String], path: &[&str]) -> Option<Fit> {
    let rest = path.len().checked_sub(wanted.len())?;
    let same = path.get(rest..)?.iter().zip(wanted).all(|(part, wanted)| part == wanted);
    same.then_some(if rest == 0 { Fit::Whole } else { Fit::End })
}

/// A method of a trait, as its mangled name tells: `<Self as Trait>::rest`.
struct Implementation {
    self_type: String,
    of_trait: String,
    rest: Vec<String>,
}

impl Implementation {
    fn of(linkage: &str) -> Option<Self> {
        let demangled = format!("{:#}", rustc_demangle::try_demangle(linkage).ok()?);
        let components = split_path(&demangled);
        let inside =
            |component: &str| component.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).map(str::to_owned);
        let (at, (self_type, of_trait)) = components.iter().enumerate().find_map(|(at, component)| {
            let inner = inside(component)?;
            let found = match inner.strip_prefix("impl ") {
                Some(inner) => crate::naming::split_at_word(inner, " for ")
                    .map(|(of_trait, own)| (own.to_owned(), of_trait.to_owned())),
                None if at == 0 => crate::naming::split_at_word(&inner, " as ")
                    .map(|(own, of_trait)| (own.to_owned(), of_trait.to_owned())),
                None => None,
            };
            Some((at, found?))
        })?;
        let rest = components.get(at.saturating_add(1)..)?.iter().filter(|part| !part.starts_with(['{', '<']));
        Some(Self {
            self_type: without_any_generics(&self_type),
            of_trait: without_any_generics(&of_trait),
            rest: rest.map(|part| without_generics(part).to_owned()).collect(),
        })
    }

    fn fit(&self, wanted: &[String]) -> Option<Fit> {
        let written = wanted.first()?.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        if let Some((own, of_trait)) = written.and_then(|inner| crate::naming::split_at_word(inner, " as ")) {
            let ends = |wanted: &str, with: &str| {
                let wanted: Vec<String> = parts(&without_any_generics(wanted)).into_iter().map(str::to_owned).collect();
                end_of(&wanted, &parts(with))
            };
            let fit = ends(own.trim(), &self.self_type)?.min(ends(of_trait.trim(), &self.of_trait)?);
            return (wanted.get(1..)? == self.rest.as_slice()).then_some(fit);
        }
        let mut path = parts(&self.of_trait);
        path.extend(self.rest.iter().map(String::as_str));
        // A trait's method has many bodies: this is never all of a name.
        end_of(wanted, &path).map(|_| Fit::End)
    }
}

/// The part of an error that says what is wrong, without the drawing around it.
fn last_line(error: &str) -> &str {
    let line = error.lines().last().unwrap_or(error);
    line.strip_prefix("error: ").unwrap_or(line)
}

/// Whether a name is one that the compiler gives what has none in the source, and what is around it counts.
pub(crate) fn is_inside(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    name.starts_with('{') && Component::parse(name).unnamed.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(query: &str, shown: &str, path: &str, linkage: Option<&str>) -> Option<Fit> {
        FunctionQuery::parse(query).unwrap().fit(&Names { shown, path, linkage })
    }

    #[test]
    fn a_path_or_its_end_is_enough() {
        let run = |query| fit(query, "mini::server::Handler::run", "mini::server::{impl#0}::run::{async_fn#0}", None);
        assert_eq!(run("mini::server::Handler::run"), Some(Fit::Whole));
        assert_eq!(run("::mini::server::Handler::run()"), Some(Fit::Whole));
        for end in ["run", "Handler::run", "Handler<u8>::run", "run::<u8>", "server::Handler::run", "run::{async_fn#0}"]
        {
            assert_eq!(run(end), Some(Fit::End), "{end}");
        }
        for other in ["un", "andler::run", "mini::run", "run {closure}", "x::mini::server::Handler::run", "Handler"] {
            assert_eq!(run(other), None, "{other}");
        }
    }

    #[test]
    fn what_has_no_name_is_named_by_what_is_around_it() {
        let closure = |query| fit(query, "a::f {closure #2}", "a::f::{closure#1}", None);
        assert_eq!(closure("f {closure #2}"), Some(Fit::End));
        assert_eq!(closure("a::f {closure #2}"), Some(Fit::Whole));
        assert_eq!(closure("f::{closure#1}"), Some(Fit::End));
        assert_eq!(closure("f"), None);
        assert_eq!(closure("f {closure}"), None);
    }

    #[test]
    fn methods_are_found_by_type_and_by_trait() {
        let legacy =
            "_ZN43_$LT$symfix..P$u20$as$u20$symfix..Greet$GT$5greet28_$u7b$$u7b$closure$u7d$$u7d$17hec7a781bfec3c8a1E";
        let greet = |query| fit(query, "symfix::P::greet", "symfix::{impl#0}::greet::{async_block#0}", Some(legacy));
        for query in ["P::greet", "Greet::greet", "symfix::Greet::greet", "<P as Greet>::greet", "greet"] {
            assert_eq!(greet(query), Some(Fit::End), "{query}");
        }
        assert_eq!(greet("<symfix::P as symfix::Greet>::greet"), Some(Fit::Whole));
        for other in ["<Q as Greet>::greet", "<P as Other>::greet", "Other::greet", "<P as Greet>::other"] {
            assert_eq!(greet(other), None, "{other}");
        }
        let far = "_ZN5krate1_61_$LT$impl$u20$krate..Trait$LT$u8$GT$$u20$for$u20$krate..P$GT$1f17h0123456789abcdefE";
        for query in ["Trait::f", "P::f", "<P as Trait>::f", "<krate::P as Trait<u8>>::f"] {
            assert!(fit(query, "krate::P::f", "krate::_::{impl#0}::f", Some(far)).is_some(), "{query}");
        }
    }

    #[test]
    fn patterns_are_searched_for() {
        let found = |query| fit(query, "mini::server::Handler::run", "", None).is_some();
        assert!(found("/Handler::r/") && found("/^mini::.*::run$/") && !found("/^Handler/"));
        let error = |text| FunctionQuery::parse(text).unwrap_err();
        assert_eq!(error("/a(/"), "the regular expression is not valid: unclosed group");
        assert!(error("//").contains("empty"));
        assert!(error("/(a{1000}){1000}/").contains("not valid"));
    }

    #[test]
    fn what_is_no_name_says_so() {
        for text in ["", "a b", "a::", "a + b", "/x"] {
            let error = FunctionQuery::parse(text);
            assert!(text == "a::" || error.is_err_and(|error| error.contains("no function's name")), "{text}");
        }
    }
}
