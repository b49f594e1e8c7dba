//! From a coroutine's environment to the function it belongs to.

use std::sync::Arc;

use crate::dies::DieReader;
use crate::functions::self_type_of;
use crate::naming::{self, Component, without_generics};
use crate::scopes::join;
use crate::wrappers::{PathFacts, child};
use crate::{DieOffset, Function, Image, Type, TypeKind};

/// How many instantiations of one poll function are looked at to find the one of an environment.
const MAX_INSTANCES: usize = 256;

impl Type {
    /// For a coroutine's environment, its function as a user reads it, with kind and crate. Its `die` is the poll
    /// function's where that one was compiled into the file, else the environment's own.
    pub fn coroutine_function(&self) -> Option<Arc<Function>> {
        if !self.is_coroutine() {
            return None;
        }
        self.image().cache().functions.get_or_make(self.die(), || self.find_function())
    }

    /// For a closure's environment, what the closure returns; `None` for other types and for `()`. Of a closure in a generic
    /// function, what one instantiation of it returns.
    pub fn closure_result(&self) -> Option<Type> {
        let path = without_generics(self.path());
        let (scope, name) = path.rsplit_once("{closure_env#")?;
        let image = self.image();
        let descriptions = image.descriptions(&format!("{scope}{{closure#{name}"));
        descriptions.into_iter().take(MAX_INSTANCES).find_map(|die| image.result_of(die))
    }

    fn find_function(&self) -> Option<Arc<Function>> {
        let image = self.image();
        let mut components = image.scope_names(self.die()).ok()?;
        let poll = poll_name(self.name());
        if let Some(function) = self.poll_nearby(&components, &poll) {
            return Some(function);
        }
        let in_impl = components.iter().any(|name| Component::parse(name).text.starts_with("{impl#"));
        if in_impl && let Some(function) = self.poll_anywhere(&join(&components, without_generics(&poll))) {
            return Some(function);
        }
        components.push(poll);
        Some(Arc::new(self.function_from_path(components)))
    }

    /// The poll function in the environment's own unit.
    fn poll_nearby(&self, scope: &[String], poll: &str) -> Option<Arc<Function>> {
        let (reader, _) = DieReader::at(self.image(), self.die()).ok()?;
        let mut at = reader.unit().header.root_offset();
        for component in scope {
            at = child(&reader, at, |tag| tag == gimli::DW_TAG_namespace, component)?;
        }
        let function = child(&reader, at, |tag| tag == gimli::DW_TAG_subprogram, poll)?;
        self.image().function_at(reader.absolute(function)?)
    }

    /// The poll function in any unit: the one of this very environment, else the one of another instantiation, which
    /// has the same name.
    fn poll_anywhere(&self, path: &str) -> Option<Arc<Function>> {
        let image = self.image();
        let entries = image.functions(path);
        let mine =
            |die: DieOffset| image.environment_of(die).is_some_and(|environment| environment.path() == self.path());
        let entry = entries.iter().take(MAX_INSTANCES).find(|entry| mine(entry.die)).or_else(|| entries.first())?;
        image.function_at(entry.die)
    }

    /// What the path alone tells; the Self type of an impl comes from what the coroutine captured as `self`.
    fn function_from_path(&self, components: Vec<String>) -> Function {
        let image: &Arc<Image> = self.image();
        let self_type = || self.captured_self();
        let facts = PathFacts { image, components: &components, die: self.die(), self_type: &self_type };
        let kind = components.last().map_or(crate::FunctionKind::Plain, |name| naming::kind(name, None));
        Function {
            name: naming::display(&components, None, &facts),
            path: components.join("::"),
            linkage_name: None,
            krate: components.first().cloned().unwrap_or_default(),
            kind,
            declared: self.declared().cloned(),
            die: self.die(),
        }
    }

    fn captured_self(&self) -> Option<String> {
        let unresumed = self.variant_part()?.variants.first()?;
        let payload = self.at(unresumed.member.ty?)?;
        let captured = |name: &str| payload.members().iter().find(|member| member.name == name);
        if let Some(captured) = captured("self") {
            return self_type_of(&self.at(captured.ty?)?);
        }
        // A block that borrows what its function calls `self`.
        match self.at(captured("_ref__self")?.ty?)?.kind() {
            TypeKind::Pointer(Some(borrowed)) => self_type_of(&self.at(*borrowed)?),
            _ => None,
        }
    }
}

/// `{async_fn_env#0}<T>` to `{async_fn#0}<T>`.
fn poll_name(environment: &str) -> String {
    let head = without_generics(environment);
    let arguments = environment.get(head.len()..).unwrap_or_default();
    format!("{}{arguments}", head.replacen("_env#", "#", 1))
}
