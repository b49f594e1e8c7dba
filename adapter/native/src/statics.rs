//! The statics of a crate, as a scope of the frames in it. Nothing is looked up before the scope is opened.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use weft_session::debuggee::{Answer, Container, Counts, Value, Variable, Watchable};
use weft_symbols::{Image, Static};
use weft_values::{Place, Stop};

use crate::variables::{still, value, watch_place};

/// Statics shown of one crate.
const MOST: usize = 1000;

/// See the module.
pub(crate) struct Statics {
    stop: Arc<Stop>,
    image: Arc<Image>,
    krate: String,
    found: OnceLock<Vec<Static>>,
}

impl Statics {
    pub(crate) fn new(stop: Arc<Stop>, image: Arc<Image>, krate: String) -> Self {
        Self { stop, image, krate, found: OnceLock::new() }
    }

    fn shown(&self, found: &Static) -> Variable {
        let name = short(found).to_owned();
        let expression = Some(found.path.clone());
        let module = self.stop.modules.of(&self.image);
        let shown = match (&found.ty, module) {
            (_, _) if found.thread_local => unread("<thread-local variables are not looked up>"),
            (Some(ty), Some(module)) => value(
                &self.stop,
                Place::new(ty.clone(), module.bias.to_memory(found.address)),
                expression.clone(),
                None,
            ),
            _ => unread("<its type is not known>"),
        };
        Variable { name, evaluate_name: expression, value: shown }
    }
}

/// Its path inside the crate.
fn short(found: &Static) -> &str {
    found.path.split_once("::").map_or(found.path.as_str(), |(_, name)| name)
}

fn unread(why: &str) -> Value {
    Value { text: why.to_owned(), ..Value::default() }
}

impl Container for Statics {
    /// Before they are asked for, their number is not known: the most there can be.
    fn counts(&self) -> Counts {
        Counts { named: self.found.get().map_or(MOST, Vec::len), indexed: 0 }
    }

    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        let found = self.found.get_or_init(|| self.image.statics_of(&self.krate, MOST));
        let list = found.iter().skip(range.start).take(range.len()).map(|found| self.shown(found)).collect();
        still(&self.stop)?;
        Ok(list)
    }

    fn indexed(&self, _range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(Vec::new())
    }

    fn watch(&self, name: &str) -> Answer<Watchable> {
        let all = self.found.get_or_init(|| self.image.statics_of(&self.krate, MOST));
        let Some(found) = all.iter().find(|found| short(found) == name) else {
            return Ok(Watchable::No(format!("there is no static `{name}` here")));
        };
        if found.thread_local {
            return Ok(Watchable::No(format!("`{name}` is thread-local, and is not looked up")));
        }
        let place = found.ty.clone().zip(self.stop.modules.of(&self.image));
        let place = place.map(|(ty, module)| Place::new(ty, module.bias.to_memory(found.address)));
        Ok(match place {
            Some(place) => watch_place(&self.stop, &place, &found.path, None),
            None => Watchable::No(format!("the type of `{name}` is not known")),
        })
    }
}
