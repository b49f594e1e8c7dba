//! The statics of a crate, as a scope of the frames in it. Nothing is looked up before the scope is opened.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, Container, Counts, Value, Variable, Watchable};
use weft_symbols::{Image, Static};
use weft_values::{Place, Stop};

use crate::frame::Home;
use crate::variables::{still, value, watch_place};

/// Statics shown of one crate.
const MOST: usize = 1000;

/// See the module.
pub(crate) struct Statics {
    home: Arc<Home>,
    image: Arc<Image>,
    krate: String,
    found: OnceLock<Vec<Static>>,
}

impl Statics {
    pub(crate) fn new(home: Arc<Home>, image: Arc<Image>, krate: String) -> Self {
        Self { home, image, krate, found: OnceLock::new() }
    }

    /// Where a static lies, or why it is not known.
    fn place(&self, stop: &Stop, found: &Static) -> Result<Place, String> {
        if found.thread_local {
            return Err(format!("`{}` is thread-local, and is not looked up", short(found)));
        }
        let place = found.ty.clone().zip(stop.modules.of(&self.image));
        let place = place.map(|(ty, module)| Place::new(ty, module.bias.to_memory(found.address)));
        place.ok_or_else(|| format!("the type of `{}` is not known", short(found)))
    }

    fn of_name(&self, name: &str) -> Option<&Static> {
        let all = self.found.get_or_init(|| self.image.statics_of(&self.krate, MOST));
        all.iter().find(|found| short(found) == name)
    }

    fn shown(&self, found: &Static) -> Variable {
        let expression = Some(found.path.clone());
        let shown = match self.place(&self.home.stop(), found) {
            _ if found.thread_local => unread("<thread-local variables are not looked up>"),
            Ok(place) => value(&self.home, place, expression.clone()),
            Err(_) => unread("<its type is not known>"),
        };
        Variable { name: short(found).to_owned(), evaluate_name: expression, value: shown }
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
        still(&self.home.stop())?;
        Ok(list)
    }

    fn indexed(&self, _range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(Vec::new())
    }

    fn watch(&self, name: &str) -> Answer<Watchable> {
        let Some(found) = self.of_name(name) else {
            return Ok(Watchable::No(format!("there is no static `{name}` here")));
        };
        let stop = self.home.stop();
        Ok(match self.place(&stop, found) {
            Ok(place) => watch_place(&stop, &place, &found.path, None),
            Err(why) => Watchable::No(why),
        })
    }

    fn assign(&self, name: &str, value: &str) -> Answer<Value> {
        let found = self
            .of_name(name)
            .ok_or_else(|| Error::new(ErrorId::Evaluate, format!("there is no static `{name}` here")))?;
        let place = self.place(&self.home.stop(), found).map_err(|why| Error::new(ErrorId::Evaluate, why))?;
        self.home.set(place, value, Some(found.path.clone()))
    }
}
