//! Types, parsed when asked.

use std::sync::Arc;

use crate::{DieOffset, Image, SourceLine};

/// Deepest nesting of types in types that is looked into for one answer.
const MAX_NESTING: usize = 16;

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

/// What is known of one type DIE.
#[derive(Debug)]
pub(crate) struct TypeInfo {
    pub(crate) path: String,
    /// Bytes of `path` before the name, the `::` between them included.
    pub(crate) name_start: usize,
    pub(crate) size: u64,
    pub(crate) align: Option<u64>,
    pub(crate) kind: TypeKind,
    pub(crate) arguments: Vec<TemplateArgument>,
    pub(crate) declared: Option<SourceLine>,
}

/// A type of an image. Cheap to clone; equal when it is the same DIE of the same image.
#[derive(Clone)]
pub struct Type {
    image: Arc<Image>,
    die: DieOffset,
    info: Arc<TypeInfo>,
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
        self.info.path.get(self.info.name_start..).unwrap_or_default()
    }

    /// The name with its namespaces: `core::option::Option<u32>`.
    pub fn path(&self) -> &str {
        &self.info.path
    }

    /// Namespaces only: `core::option`.
    pub fn namespace(&self) -> &str {
        let scopes = self.info.path.get(..self.info.name_start).unwrap_or_default();
        scopes.strip_suffix("::").unwrap_or(scopes)
    }

    /// Bytes; pointers have the machine's 8. Zero where nothing says (a type that is only declared).
    pub fn size(&self) -> u64 {
        self.info.size
    }

    /// `DW_AT_alignment` if said.
    pub fn align(&self) -> Option<u64> {
        self.info.align
    }

    /// What it is made of; typedefs and qualifiers are followed.
    pub fn kind(&self) -> &TypeKind {
        &self.info.kind
    }

    /// Generic arguments.
    pub fn template_arguments(&self) -> &[TemplateArgument] {
        &self.info.arguments
    }

    /// The generic argument of that name (`T`).
    pub fn template_argument(&self, name: &str) -> Option<Type> {
        let argument = self.info.arguments.iter().find(|argument| argument.name == name)?;
        self.at(argument.ty)
    }

    /// Another type of the same image.
    pub fn at(&self, die: DieOffset) -> Option<Type> {
        self.image.type_at(die)
    }

    /// Where it is declared (coroutines: where the body begins).
    pub fn declared(&self) -> Option<&SourceLine> {
        self.info.declared.as_ref()
    }

    /// The members of a struct or union; those of an enum's or coroutine's variants are in their payload's type.
    pub fn members(&self) -> &[Member] {
        match self.kind() {
            TypeKind::Struct { members, .. } | TypeKind::Union(members) => members,
            _ => &[],
        }
    }

    /// The enum's or coroutine's alternatives.
    pub fn variant_part(&self) -> Option<&VariantPart> {
        match self.kind() {
            TypeKind::Struct { variants, .. } => variants.as_ref(),
            _ => None,
        }
    }

    /// Bytes of the discriminant; zero if there is none.
    pub fn discriminant_size(&self) -> u64 {
        let discriminant = self.variant_part().and_then(|part| part.discriminant.as_ref());
        discriminant.and_then(|member| self.at(member.ty?)).map_or(0, |ty| ty.size())
    }

    /// The variant that a discriminant selects: the one that lists it, else the default one. Without a discriminant
    /// (pass `None`) the one variant that can exist: rustc leaves the discriminant out and lists all variants as
    /// default ones when the others hold a type without values (`Result<u32, !>`). `None`: no such variant — the value
    /// is not initialised, or its bytes are not of this type.
    pub fn active_variant(&self, discriminant: Option<u128>) -> Option<&Variant> {
        let part = self.variant_part()?;
        let Some(value) = discriminant.filter(|_| part.discriminant.is_some()) else {
            let inhabited = |variant: &&Variant| {
                !variant.member.ty.and_then(|ty| self.at(ty)).is_some_and(|ty| ty.is_uninhabited())
            };
            return part.variants.iter().find(inhabited);
        };
        let listed =
            |variant: &&Variant| variant.discriminants.iter().any(|(low, high)| (*low..=*high).contains(&value));
        part.variants
            .iter()
            .find(listed)
            .or_else(|| part.variants.iter().find(|variant| variant.discriminants.is_empty()))
    }

    /// Whether no value of this type can exist: `!`, an enum without variants, or a struct that holds one of these.
    pub fn is_uninhabited(&self) -> bool {
        self.uninhabited_within(MAX_NESTING)
    }

    fn uninhabited_within(&self, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let holds_none =
            |member: &Member| member.ty.and_then(|ty| self.at(ty)).is_some_and(|ty| ty.uninhabited_within(depth));
        match self.kind() {
            TypeKind::Base(BaseEncoding::Unit) => self.name() == "!",
            TypeKind::Struct { members, variants } => {
                let no_variant = |part: &VariantPart| part.variants.iter().all(|variant| holds_none(&variant.member));
                variants.as_ref().is_some_and(no_variant) || members.iter().any(holds_none)
            }
            TypeKind::Enumeration { enumerators, .. } => enumerators.is_empty(),
            _ => false,
        }
    }

    /// Whether this is a coroutine's environment: last component `{async_fn_env#N}`, `{async_block_env#N}`,
    /// `{async_closure_env#N}`, generic suffix allowed.
    pub fn is_coroutine(&self) -> bool {
        crate::naming::Component::parse(self.name()).is_environment_of_coroutine()
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

impl std::hash::Hash for Type {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.die.hash(state);
        Arc::as_ptr(&self.image).hash(state);
    }
}

impl Image {
    /// The type at a DIE; `None` if there is no type there.
    pub fn type_at(self: &Arc<Self>, die: DieOffset) -> Option<Type> {
        let info = self.cache().types.get_or_make(die, || crate::type_reader::read(self, die).map(Arc::new))?;
        Some(Type { image: self.clone(), die, info })
    }
}
