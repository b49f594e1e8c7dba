//! Types, parsed when asked.

use std::sync::Arc;

use crate::{DieOffset, Image, SourceLine};

/// How a base type's bits are meant (`DW_ATE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum BaseEncoding {
    Unsigned,
    Signed,
    Bool,
    Char,
    Float,
    /// `()` and `!`: size 0.
    Unit,
    /// Another `DW_ATE_*` constant.
    Other(u8),
}

/// A member of a struct, union or variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The field's name; `__0` for tuples. Empty if unnamed.
    pub name: String,
    /// Bytes from the start of the struct.
    pub offset: u64,
    /// Its type.
    pub ty: Option<DieOffset>,
    /// `DW_AT_artificial`.
    pub artificial: bool,
    /// Where it is declared (line of `.await` for a coroutine's variants).
    pub declared: Option<SourceLine>,
}

/// One alternative of an enum or one state of a coroutine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Values of the discriminant that select it, masked to its width; empty: the default variant.
    pub discriminants: Vec<(u128, u128)>,
    /// The payload: name is the variant's name for enums (`Some`), the state's number for coroutines; its type is the
    /// payload struct; `declared` is the await's line for coroutines.
    pub member: Member,
}

/// The part of a struct that depends on a discriminant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantPart {
    /// The discriminant; none when there is only one inhabited variant.
    pub discriminant: Option<Member>,
    /// In order of the debug information.
    pub variants: Vec<Variant>,
}

/// A value of a C-like enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enumerator {
    /// Its name.
    pub name: String,
    /// Its value, sign-extended as declared.
    pub value: i128,
}

/// A generic argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateArgument {
    /// `T`.
    pub name: String,
    /// Its type.
    pub ty: DieOffset,
}

/// What a type is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeKind {
    /// A number, `bool`, `char`, `()`.
    Base(BaseEncoding),
    /// A thin pointer or reference (also `Box` of a sized type). `None`: to nothing known (`void`).
    Pointer(Option<DieOffset>),
    /// A struct, tuple, closure or fat pointer, and every enum with data or coroutine (then with a variant part).
    Struct {
        /// Members outside the variant part.
        members: Vec<Member>,
        /// The enum's or coroutine's alternatives.
        variants: Option<VariantPart>,
    },
    /// A union.
    Union(Vec<Member>),
    /// A C-like enum.
    Enumeration {
        /// Its integer type.
        repr: Option<DieOffset>,
        /// Its values.
        enumerators: Vec<Enumerator>,
    },
    /// An array of known length (`None`: not said).
    Array {
        /// The element's type.
        element: Option<DieOffset>,
        /// How many.
        count: Option<u64>,
    },
    /// A function's type, behind a function pointer.
    Subroutine,
    /// Something else (`DW_TAG_*`).
    Other(u16),
}

/// A type of an image. Cheap to clone; equal when it is the same DIE of the same image.
#[derive(Clone)]
pub struct Type {
    image: Arc<Image>,
    die: DieOffset,
}

impl Type {
    /// The file it is from.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }
    /// Where it is described.
    pub fn die(&self) -> DieOffset {
        self.die
    }
    /// `DW_AT_name`: `Option<u32>`, `{async_fn_env#0}`; empty if unnamed.
    pub fn name(&self) -> &str {
        todo!()
    }
    /// The name with its namespaces: `core::option::Option<u32>`.
    pub fn path(&self) -> &str {
        todo!()
    }
    /// Namespaces only: `core::option`.
    pub fn namespace(&self) -> &str {
        todo!()
    }
    /// Bytes; pointers have the machine's 8.
    pub fn size(&self) -> u64 {
        todo!()
    }
    /// `DW_AT_alignment` if said.
    pub fn align(&self) -> Option<u64> {
        todo!()
    }
    /// What it is made of; typedefs and qualifiers are followed.
    pub fn kind(&self) -> &TypeKind {
        todo!()
    }
    /// Generic arguments.
    pub fn template_arguments(&self) -> &[TemplateArgument] {
        todo!()
    }
    /// The generic argument of that name (`T`).
    pub fn template_argument(&self, _name: &str) -> Option<Type> {
        todo!()
    }
    /// Another type of the same image.
    pub fn at(&self, _die: DieOffset) -> Option<Type> {
        todo!()
    }
    /// Where it is declared (coroutines: where the body begins).
    pub fn declared(&self) -> Option<&SourceLine> {
        todo!()
    }
    /// Whether this is a coroutine's environment: last component `{async_fn_env#N}`, `{async_block_env#N}`,
    /// `{async_closure_env#N}`, generic suffix allowed.
    pub fn is_coroutine(&self) -> bool {
        todo!()
    }
    /// For a coroutine's environment, its function as a user reads it (contract: Frame names), with kind and crate.
    pub fn coroutine_function(&self) -> Option<Arc<crate::Function>> {
        todo!()
    }
}

impl std::fmt::Debug for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Type({})", self.path())
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        self.die == other.die && Arc::ptr_eq(&self.image, &other.image)
    }
}

impl Eq for Type {}

impl Image {
    /// The type at a DIE; `None` if there is no type there.
    pub fn type_at(self: &Arc<Self>, _die: DieOffset) -> Option<Type> {
        todo!()
    }
}
