//! From text to a tree: Rust's own parser, of whose output only what is evaluated is kept.

use syn::ext::IdentExt;
use syn::{BinOp, Expr, Member, UnOp};

use super::literal::Literal;
use super::{EvaluateError, pattern, unsupported};

/// Longest text that is parsed, in bytes.
const MAX_TEXT: usize = 4096;
/// Nested brackets, fields and operators of one expression. The parser itself recurses: text is checked before it.
pub(super) const MAX_NESTING: usize = 80;
/// Values in the brackets of one variant.
const MAX_ARGUMENTS: usize = 16;

/// An expression. Its depth is bounded by [`MAX_NESTING`], so that it can be walked (and dropped) by recursion.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// `5`, `"text"`.
    Literal(Literal),
    /// `x`, `krate::module::STATIC`, `State::Open`.
    Path(String),
    /// `base.field`, `base.0`.
    Field(Box<Self>, String),
    /// `base[index]`.
    Index(Box<Self>, Box<Self>),
    /// `base[start..end]`.
    Slice(Box<Self>, Bounds),
    /// `*pointer`.
    Deref(Box<Self>),
    /// `-x`.
    Negated(Box<Self>),
    /// `!x`.
    Not(Box<Self>),
    /// `a + b`, `a == b`.
    Binary(Operator, Box<Self>, Box<Self>),
    /// `a && b`, `a || b`.
    Logical(Logical, Box<Self>, Box<Self>),
    /// `x as u8`.
    Cast(Box<Self>, String),
    /// `Some(5)`: a variant with what it holds.
    Variant(String, Vec<Self>),
    /// `base.method(arguments)`.
    Method(Box<Self>, String, Vec<Self>),
}

/// The bounds of a slice.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) start: Option<Box<Node>>,
    pub(super) end: Option<Box<Node>>,
    /// `..=end`.
    pub(super) closed: bool,
}

/// An operator that needs both its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator that may need only its left side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logical {
    /// `&&`.
    And,
    /// `||`.
    Or,
}

impl Operator {
    /// As it is written.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::And => "&",
            Self::Or => "|",
            Self::Xor => "^",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// `==`, `<` and their like.
    pub(super) const fn is_comparison(self) -> bool {
        self.is_equality() || matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }

    /// `==` and `!=`.
    pub(super) const fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::Unequal)
    }

    /// What an order means for a comparison; false for other operators.
    pub(super) const fn accepts(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            _ => false,
        }
    }
}

impl Logical {
    /// As it is written.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
        }
    }
}

/// Parses an expression.
pub(super) fn parse(text: &str) -> Result<Node, EvaluateError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(EvaluateError::Syntax("there is nothing to evaluate".to_owned()));
    }
    if text.len() > MAX_TEXT || nesting(text) > MAX_NESTING {
        return Err(EvaluateError::Syntax("it is too long or too deeply nested".to_owned()));
    }
    node(&pattern::parsed(text)?)
}

/// Whether what follows it (`.field`, `[index]`) concerns all of a text as it stands, without brackets around it.
pub(super) fn is_operand(text: &str) -> bool {
    let is_one = |node: Node| {
        matches!(
            node,
            Node::Literal(Literal::Text(_) | Literal::Bytes(_) | Literal::Char(_) | Literal::Bool(_))
                | Node::Path(_)
                | Node::Field(..)
                | Node::Index(..)
                | Node::Slice(..)
                | Node::Method(..)
        )
    };
    // `(*a)` is what `*a` is; `&a` is what `a` is.
    let text = text.trim();
    (text.starts_with('(') && text.ends_with(')') && text.matches('(').count() == 1)
        || !text.starts_with(['*', '&', '-', '!', '(']) && parse(text).is_ok_and(is_one)
}

pub(super) fn node(expression: &Expr) -> Result<Node, EvaluateError> {
    Ok(match expression {
        Expr::Lit(literal) => Node::Literal(Literal::parse(&literal.lit)?),
        Expr::Paren(inner) => node(&inner.expr)?,
        Expr::Group(inner) => node(&inner.expr)?,
        Expr::Path(it) => Node::Path(path(it)?),
        Expr::Field(field) => Node::Field(boxed(&field.base)?, member(&field.member)),
        Expr::Index(index) => indexed(&index.expr, &index.index)?,
        Expr::Unary(unary) => match unary.op {
            UnOp::Deref(_) => Node::Deref(boxed(&unary.expr)?),
            UnOp::Not(_) => Node::Not(boxed(&unary.expr)?),
            UnOp::Neg(_) => match node(&unary.expr)? {
                Node::Literal(literal) => Node::Literal(literal.negated()?),
                other => Node::Negated(Box::new(other)),
            },
            _ => return Err(unsupported("this operator is not known")),
        },
        Expr::Binary(binary) => {
            let (left, right) = (boxed(&binary.left)?, boxed(&binary.right)?);
            match logical(&binary.op) {
                Some(logical) => Node::Logical(logical, left, right),
                None => Node::Binary(operator(&binary.op)?, left, right),
            }
        }
        Expr::Cast(cast) => Node::Cast(boxed(&cast.expr)?, cast_target(&cast.ty)?),
        Expr::Call(call) => variant(call)?,
        Expr::MethodCall(call) => method(call)?,
        // References are looked through everywhere.
        Expr::Reference(reference) => node(&reference.expr)?,
        Expr::Try(inner) => Node::Method(boxed(&inner.expr)?, "unwrap".to_owned(), Vec::new()),
        Expr::Macro(call) => pattern::matches(&call.mac)?,
        other => return Err(unsupported(refusal(other))),
    })
}

pub(super) fn boxed(expression: &Expr) -> Result<Box<Node>, EvaluateError> {
    node(expression).map(Box::new)
}

fn path(path: &syn::ExprPath) -> Result<String, EvaluateError> {
    if path.qself.is_some() {
        return Err(unsupported("a path with generic arguments is not looked up"));
    }
    plain_path(&path.path)
}

pub(super) fn plain_path(path: &syn::Path) -> Result<String, EvaluateError> {
    if path.segments.iter().any(|segment| !segment.arguments.is_empty()) {
        return Err(unsupported("a path with generic arguments is not looked up"));
    }
    let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
    Ok(segments.join("::"))
}

pub(super) fn member(member: &Member) -> String {
    match member {
        Member::Named(ident) => ident.unraw().to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}

fn indexed(base: &Expr, index: &Expr) -> Result<Node, EvaluateError> {
    let base = boxed(base)?;
    let Expr::Range(range) = index else { return Ok(Node::Index(base, boxed(index)?)) };
    let bound = |bound: &Option<Box<Expr>>| bound.as_ref().map(|bound| boxed(bound)).transpose();
    let closed = matches!(range.limits, syn::RangeLimits::Closed(_));
    Ok(Node::Slice(base, Bounds { start: bound(&range.start)?, end: bound(&range.end)?, closed }))
}

/// `Some(5)`; calls of functions look the same, but for the case of their names.
fn variant(call: &syn::ExprCall) -> Result<Node, EvaluateError> {
    let no_call = || unsupported("functions and methods of the program are not called");
    let Expr::Path(function) = &*call.func else { return Err(no_call()) };
    let name = path(function)?;
    let last = name.rsplit("::").next().unwrap_or(&name);
    if !last.starts_with(char::is_uppercase) || call.args.len() > MAX_ARGUMENTS {
        return Err(no_call());
    }
    Ok(Node::Variant(name, arguments(&call.args)?))
}

fn method(call: &syn::ExprMethodCall) -> Result<Node, EvaluateError> {
    let name = call.method.unraw().to_string();
    if call.args.len() > MAX_ARGUMENTS {
        return Err(unsupported("a method takes 16 arguments at most"));
    }
    if name == "contains"
        && let (Expr::Paren(receiver), Some(value)) = (&*call.receiver, call.args.first())
        && let Expr::Range(range) = &*receiver.expr
    {
        return pattern::within(node(value)?, range);
    }
    Ok(Node::Method(boxed(&call.receiver)?, name, arguments(&call.args)?))
}

fn arguments(written: &syn::punctuated::Punctuated<Expr, syn::Token![,]>) -> Result<Vec<Node>, EvaluateError> {
    written.iter().map(node).collect()
}

fn cast_target(ty: &syn::Type) -> Result<String, EvaluateError> {
    match ty {
        syn::Type::Path(path) => {
            path.path.get_ident().map(ToString::to_string).ok_or_else(|| unsupported("`as` goes to numbers only"))
        }
        _ => Err(unsupported("`as` goes to numbers only")),
    }
}

const fn logical(operator: &BinOp) -> Option<Logical> {
    match operator {
        BinOp::And(_) => Some(Logical::And),
        BinOp::Or(_) => Some(Logical::Or),
        _ => None,
    }
}

fn operator(operator: &BinOp) -> Result<Operator, EvaluateError> {
    Ok(match operator {
        BinOp::Add(_) => Operator::Add,
        BinOp::Sub(_) => Operator::Subtract,
        BinOp::Mul(_) => Operator::Multiply,
        BinOp::Div(_) => Operator::Divide,
        BinOp::Rem(_) => Operator::Remainder,
        BinOp::BitAnd(_) => Operator::And,
        BinOp::BitOr(_) => Operator::Or,
        BinOp::BitXor(_) => Operator::Xor,
        BinOp::Shl(_) => Operator::ShiftLeft,
        BinOp::Shr(_) => Operator::ShiftRight,
        BinOp::Eq(_) => Operator::Equal,
        BinOp::Ne(_) => Operator::Unequal,
        BinOp::Lt(_) => Operator::Less,
        BinOp::Le(_) => Operator::LessOrEqual,
        BinOp::Gt(_) => Operator::Greater,
        BinOp::Ge(_) => Operator::GreaterOrEqual,
        _ => return Err(unsupported(ASSIGNMENT)),
    })
}

const ASSIGNMENT: &str = "variables are not assigned to here (`==` compares)";

fn refusal(expression: &Expr) -> &'static str {
    match expression {
        Expr::Await(_) => "a future is not awaited",
        Expr::Assign(_) => ASSIGNMENT,
        Expr::Closure(_) | Expr::Async(_) => "closures and async blocks are not evaluated",
        Expr::Range(_) => "a range stands only in an index",
        _ => "this kind of expression is not evaluated",
    }
}

/// How deep the parser recurses at most, and how deep its tree is, without parsing: brackets that are open, operators
/// (also those of one chain: their tree leans to one side) and words that follow one another (`return return ..`).
/// Counts too much rather than too little.
pub(super) fn nesting(text: &str) -> usize {
    // Where a quote may mean something else than a plain string's begin or end, what stands in strings counts too.
    let are_strings_plain = ["//", "/*", "r\"", "#\"", "'\""].iter().all(|other| !text.contains(other));
    let mut nesting = Nesting::default();
    let mut before = ' ';
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        nesting.next(c);
        if c == '"' && are_strings_plain && before != '\\' {
            skip_string(&mut rest);
        }
        before = c;
    }
    nesting.deepest
}

/// Goes behind the quote that ends a string.
fn skip_string(rest: &mut std::str::Chars<'_>) {
    let mut escaped = false;
    for c in rest {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return,
            _ => {}
        }
    }
}

#[derive(Default)]
struct Nesting {
    /// The character before.
    before: char,
    /// For each open bracket, how deep it was before it.
    open: Vec<usize>,
    depth: usize,
    deepest: usize,
    is_word: bool,
    is_gap: bool,
    /// A point, or a word behind one.
    is_member: bool,
}

impl Nesting {
    fn next(&mut self, c: char) {
        let deeper = self.depth.saturating_add(1);
        match c {
            // Evaluating a method takes much of the stack, and nobody writes many of them in one expression.
            '(' if self.is_member => {
                self.open.push(deeper.saturating_add(1));
                self.depth = deeper.saturating_add(2);
            }
            '(' | '[' | '{' => {
                self.open.push(self.depth);
                self.depth = deeper;
            }
            // What was counted inside is closed with it; but brackets that follow one another (`a[0][0][0]`) lean too.
            ')' | ']' | '}' => self.depth = self.open.pop().unwrap_or(self.depth).saturating_add(1),
            ',' | ';' | ':' | '"' | '_' => {}
            // Nobody writes many of them, and evaluating one takes what a method takes.
            '?' => self.depth = self.depth.saturating_add(3),
            // `==`, `<=`: one operator.
            '=' if matches!(self.before, '=' | '!' | '<' | '>') => {}
            _ if c.is_ascii_punctuation() => self.depth = deeper,
            _ if self.is_word && self.is_gap && is_in_word(c) => self.depth = deeper,
            _ => {}
        }
        self.deepest = self.deepest.max(self.depth);
        self.is_member = c == '.' || (self.is_member && is_in_word(c));
        self.before = c;
        self.is_gap = c.is_whitespace();
        self.is_word = is_in_word(c) || (self.is_word && self.is_gap);
    }
}

fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
