//! Tests against a pattern, `x is Some(1..=5)` and `matches!(x, Open | Closed { .. })`: written out as comparisons.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Pat};

use super::literal::Literal;
use super::syntax::{self, Logical, Node, Operator};
use super::{EvaluateError, unsupported};

/// Patterns in patterns, and alternatives of one.
const MAX_PATTERNS: usize = 64;

/// Parses a text as Rust, with `is` besides, which binds like a comparison.
pub(super) fn parsed(text: &str) -> Result<Expr, EvaluateError> {
    // Places in a text are kept for as long as a thread lives, otherwise.
    proc_macro2::extra::invalidate_current_thread_spans();
    let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
        let brackets = "brackets or quotes that are not closed, or a character that is none of Rust's";
        told(text, error.span(), brackets)
    })?;
    let is_tested = text.contains("is");
    let tokens = if is_tested { with_tests(tokens) } else { tokens };
    syn::parse2(tokens).map_err(|error| told(text, error.span(), &error.to_string()))
}

/// What is wrong with a text, and where.
fn told(text: &str, at: Span, what: &str) -> EvaluateError {
    let column = at.start().column;
    let rest: String = text.chars().skip(column).take(12).collect();
    let is_within = at.start().line == 1 && column > 0 && !rest.is_empty() && !what.starts_with("unexpected end");
    let place = if is_within { format!(", at `{}`", rest.trim_end()) } else { String::new() };
    EvaluateError::Syntax(format!("{what}{place}"))
}

/// Writes `value is pattern` as `matches!(value, pattern)`, wherever it stands between brackets, `&&`, `||` and commas.
fn with_tests(tokens: TokenStream) -> TokenStream {
    let mut done = Vec::new();
    let mut part: Vec<TokenTree> = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let token = match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_tests(group.stream()));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            token => token,
        };
        let is_same = |next: &TokenTree| match (&token, next) {
            (TokenTree::Punct(one), TokenTree::Punct(two)) => one.as_char() == two.as_char(),
            _ => false,
        };
        let ends = match &token {
            TokenTree::Punct(it) if matches!(it.as_char(), '&' | '|') => {
                it.spacing() == proc_macro2::Spacing::Joint && tokens.peek().is_some_and(is_same)
            }
            TokenTree::Punct(it) => it.as_char() == ',',
            _ => false,
        };
        if ends {
            done.extend(tested(std::mem::take(&mut part)));
            let is_pair = matches!(&token, TokenTree::Punct(it) if it.as_char() != ',');
            done.push(token);
            done.extend(if is_pair { tokens.next() } else { None });
        } else {
            part.push(token);
        }
    }
    done.extend(tested(part));
    done.into_iter().collect()
}

/// A part without `&&`, `||` and commas.
fn tested(part: Vec<TokenTree>) -> Vec<TokenTree> {
    let is_word = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "is");
    let Some(at) = part.iter().position(is_word).filter(|at| *at > 0) else { return part };
    let is_field = matches!(at.checked_sub(1).and_then(|before| part.get(before)), Some(TokenTree::Punct(_)));
    let (value, pattern) = part.split_at(at);
    let [word, pattern @ ..] = pattern else { return part };
    if is_field || pattern.is_empty() {
        return part;
    }
    let span = word.span();
    let inner = value.iter().cloned().chain([punct(',', span)]).chain(pattern.iter().cloned());
    let mut group = Group::new(Delimiter::Parenthesis, inner.collect());
    group.set_span(span);
    vec![Ident::new("matches", span).into(), punct('!', span), group.into()]
}

fn punct(char: char, span: Span) -> TokenTree {
    let mut punct = proc_macro2::Punct::new(char, proc_macro2::Spacing::Alone);
    punct.set_span(span);
    punct.into()
}

/// What stands in the brackets of `matches!`.
struct Test {
    value: Expr,
    pattern: Pat,
}

impl Parse for Test {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let value = input.parse()?;
        input.parse::<syn::Token![,]>()?;
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        if input.peek(syn::Token![if]) {
            return Err(input.error("a pattern has no `if` here: write `&&` behind it"));
        }
        input.parse::<Option<syn::Token![,]>>()?;
        Ok(Self { value, pattern })
    }
}

/// `matches!(value, pattern)`; no other macro is known.
pub(super) fn matches(call: &syn::Macro) -> Result<Node, EvaluateError> {
    if !call.path.is_ident("matches") {
        return Err(unsupported("macros are not expanded, but for `matches!(value, pattern)`"));
    }
    let test: Test = call.parse_body().map_err(|error| EvaluateError::Syntax(error.to_string()))?;
    let mut left = MAX_PATTERNS;
    let compared = pattern(&syntax::node(&test.value)?, &test.pattern, &mut left)?;
    compared.ok_or_else(|| EvaluateError::Mismatch("this pattern fits every value: the test says nothing".to_owned()))
}

/// What a pattern asks of a value; `None`: nothing.
fn pattern(value: &Node, asked: &Pat, left: &mut usize) -> Result<Option<Node>, EvaluateError> {
    *left = left.checked_sub(1).ok_or_else(|| unsupported("a pattern of more than 64 parts is not compared"))?;
    let field = |name: String| Node::Field(Box::new(value.clone()), name);
    let equals = |other: Node| Some(binary(Operator::Equal, value.clone(), other));
    Ok(match asked {
        Pat::Wild(_) | Pat::Rest(_) => None,
        Pat::Paren(inner) => pattern(value, &inner.pat, left)?,
        Pat::Reference(inner) => pattern(value, &inner.pat, left)?,
        Pat::Lit(_) | Pat::Path(_) => equals(plain(asked)?),
        Pat::Ident(name) if name.subpat.is_some() => return Err(unsupported("`name @ pattern` is not compared")),
        // A small letter would begin the name of a binding, which fits everything.
        Pat::Ident(name) if !name.ident.to_string().starts_with(char::is_uppercase) => None,
        Pat::Ident(name) => equals(Node::Path(name.ident.to_string())),
        Pat::Range(range) => Some(within(value.clone(), range)?),
        Pat::Or(cases) => {
            let mut any: Option<Node> = None;
            for case in &cases.cases {
                let Some(case) = pattern(value, case, left)? else { return Ok(None) };
                any = Some(match any {
                    Some(before) => logical(Logical::Or, before, case),
                    None => case,
                });
            }
            any
        }
        Pat::TupleStruct(variant) if variant.elems.iter().all(is_plain) && !variant.elems.is_empty() => {
            // One comparison, which is quick.
            let written = variant.elems.iter().map(plain).collect::<Result<_, _>>()?;
            equals(Node::Variant(syntax::plain_path(&variant.path)?, written))
        }
        Pat::TupleStruct(variant) => {
            let mut all = equals(Node::Path(syntax::plain_path(&variant.path)?));
            for (index, inner) in positions(&variant.elems)? {
                all = both(all, pattern(&field(index.to_string()), inner, left)?);
            }
            all
        }
        Pat::Struct(variant) => {
            let mut all = equals(Node::Path(syntax::plain_path(&variant.path)?));
            for inner in &variant.fields {
                all = both(all, pattern(&field(syntax::member(&inner.member)), &inner.pat, left)?);
            }
            all
        }
        Pat::Tuple(tuple) => {
            let mut all = None;
            for (index, inner) in positions(&tuple.elems)? {
                all = both(all, pattern(&field(index.to_string()), inner, left)?);
            }
            all
        }
        _ => return Err(unsupported("this kind of pattern is not compared")),
    })
}

/// Whether a pattern is written as the value that it fits.
fn is_plain(pattern: &Pat) -> bool {
    match pattern {
        Pat::Lit(_) | Pat::Path(_) => true,
        Pat::Ident(name) => name.subpat.is_none() && name.ident.to_string().starts_with(char::is_uppercase),
        _ => false,
    }
}

fn plain(pattern: &Pat) -> Result<Node, EvaluateError> {
    Ok(match pattern {
        Pat::Lit(literal) => Node::Literal(Literal::parse(&literal.lit)?),
        Pat::Path(path) => Node::Path(syntax::plain_path(&path.path)?),
        Pat::Ident(name) => Node::Path(name.ident.to_string()),
        _ => return Err(unsupported("this kind of pattern is not compared")),
    })
}

/// Patterns in brackets with their positions; how many `..` stands for is not known, so that it is to be the last.
fn positions(
    inner: &syn::punctuated::Punctuated<Pat, syn::Token![,]>,
) -> Result<impl Iterator<Item = (usize, &Pat)>, EvaluateError> {
    let is_rest = |pattern: &Pat| matches!(pattern, Pat::Rest(_));
    if inner.iter().position(is_rest).is_some_and(|at| at.saturating_add(1) < inner.len()) {
        return Err(unsupported("`..` is the last of a pattern's parts"));
    }
    Ok(inner.iter().enumerate())
}

/// `start <= value && value < end`.
pub(super) fn within(value: Node, range: &syn::ExprRange) -> Result<Node, EvaluateError> {
    let start = range.start.as_deref().map(syntax::node).transpose()?;
    let end = range.end.as_deref().map(syntax::node).transpose()?;
    let below = match range.limits {
        syn::RangeLimits::Closed(_) => Operator::LessOrEqual,
        syn::RangeLimits::HalfOpen(_) => Operator::Less,
    };
    let above = start.map(|start| binary(Operator::GreaterOrEqual, value.clone(), start));
    let below = end.map(|end| binary(below, value, end));
    both(above, below).ok_or_else(|| unsupported("`..` contains everything"))
}

fn both(one: Option<Node>, other: Option<Node>) -> Option<Node> {
    match (one, other) {
        (Some(one), Some(other)) => Some(logical(Logical::And, one, other)),
        (one, other) => one.or(other),
    }
}

fn logical(operator: Logical, one: Node, other: Node) -> Node {
    Node::Logical(operator, Box::new(one), Box::new(other))
}

fn binary(operator: Operator, one: Node, other: Node) -> Node {
    Node::Binary(operator, Box::new(one), Box::new(other))
}
