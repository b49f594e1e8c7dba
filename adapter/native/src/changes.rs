//! What the user changes in the stopped program. Frames and values that were handed out before stay what they are, and
//! show the program as it is after the change.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use weft_debugger::Debugger;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::Answer;
use weft_values::{Stop, Write};

use crate::words::refused;

/// See the module.
#[derive(Default)]
pub(crate) struct Changes {
    /// Who writes; nobody for core files.
    debugger: OnceLock<Weak<Debugger>>,
    made: Mutex<Made>,
}

/// The changes since the program stopped.
#[derive(Default)]
struct Made {
    /// The numbers of the stops before each of them.
    before: BTreeSet<u64>,
    /// The stop after the last.
    now: Option<Arc<Stop>>,
}

impl Changes {
    /// Who writes from now on.
    pub(crate) fn give(&self, debugger: &Arc<Debugger>) {
        let _is_first = self.debugger.set(Arc::downgrade(debugger));
    }

    /// A stop as it is after the user's changes.
    pub(crate) fn now(&self, found: &Arc<Stop>) -> Arc<Stop> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_changed = made.before.contains(&found.generation);
        made.now.as_ref().filter(|_| is_changed).unwrap_or(found).clone()
    }

    /// Writes into the program as it stands at this stop.
    pub(crate) fn write(&self, stop: &Arc<Stop>, writes: Vec<Write>) -> Answer<()> {
        let core = || Error::new(ErrorId::NotSupported, "this is a core file: nothing in it can be changed");
        let debugger = self.debugger.get().ok_or_else(core)?.upgrade();
        let debugger = debugger.ok_or_else(|| Error::new(ErrorId::NoDebuggee, "the program has ended"))?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let writes = writes.into_iter().map(|write| (write.address, write.bytes)).collect();
        let changed = debugger.change(stop, writes).map_err(refused)?;
        if made.now.as_ref().is_none_or(|last| last.generation != stop.generation) {
            made.before.clear();
        }
        made.before.insert(stop.generation);
        made.now = Some(changed.stop);
        changed.failure.map_or(Ok(()), |why| Err(refused(why)))
    }
}
