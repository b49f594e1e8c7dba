//! Functions that the compiler merged because their code is equal.
//!
//! LLVM's `MergeFunctions` (on in optimised builds of rustc 1.63 to 1.97) leaves the debug information of one of them: the
//! others' types are described, their functions are not, and their addresses are those of the one that is left.

use rustc_hash::FxHashSet;

use crate::Type;
use crate::naming::without_generics;

/// Most instantiations of one coroutine that are looked at.
const MAX_INSTANCES: usize = 256;

impl Type {
    /// For the environment of a generic coroutine: environments of other instantiations of which nothing describes a poll
    /// function, and that are laid out like this one. What is known by the address of a poll function to have this
    /// environment may have one of those.
    pub fn merged_instances(&self) -> Vec<Type> {
        let base = without_generics(self.path());
        let Some(function) = self.coroutine_function().filter(|_| base != self.path()) else { return Vec::new() };
        let image = self.image();
        let descriptions = image.descriptions(without_generics(&function.path)).into_iter().take(MAX_INSTANCES);
        let environments = descriptions.filter_map(|die| {
            let described = image.function_at(die)?.die;
            image.environment_of(die).or_else(|| image.environment_of(described))
        });
        let described: FxHashSet<String> = environments.map(|environment| environment.path().to_owned()).collect();
        let others = image.types_of_any_arguments(base).take(MAX_INSTANCES);
        others.filter(|other| self.may_be_merged_with(other) && !described.contains(other.path())).collect()
    }

    /// Whether code that polls coroutines with these environments may be equal. A poll function panics with its own line when
    /// it is called too often, so both are written in the same place: instantiations of one function, or made by one macro.
    pub fn may_be_merged_with(&self, other: &Self) -> bool {
        let lines = |ty: &Self| -> Option<Vec<_>> {
            Some(ty.variant_part()?.variants.iter().map(|variant| variant.member.declared.clone()).collect())
        };
        self.path() != other.path() && self.size() == other.size() && lines(self) == lines(other)
    }
}
