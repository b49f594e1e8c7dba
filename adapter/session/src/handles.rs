//! Numbers for frames and variables. They live until the program goes on and are never given out again.

use std::collections::HashMap;
use std::sync::Arc;

use weft_protocol::{Error, ErrorId};
use weft_tasks::TaskKey;

use crate::debuggee::{Answer, Container, FrameBody, Target, TargetId};

/// DAP's numbers end here.
const LAST: i64 = (1 << 31) - 1;

/// Which stop a number belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// A frame's place, so that asking twice in one stop gives one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FrameSlot {
    /// Row of a stack.
    Row(Target, usize),
    /// Node of a task's tree, counted outside in.
    Node(TaskKey, usize),
}

#[derive(Clone)]
enum Thing {
    Frame(Option<Arc<dyn FrameBody>>),
    Container(Arc<dyn Container>),
    /// What can be stepped into.
    Target(TargetId),
    /// An instruction to go to.
    Address(u64),
}

/// Every number of the current stop.
#[derive(Default)]
pub(crate) struct Handles {
    epoch: u64,
    last: i64,
    things: HashMap<i64, Thing>,
    frames: HashMap<FrameSlot, i64>,
}

impl Handles {
    /// A new stop begins (or the old one ends): its numbers are over.
    pub(crate) fn turn(&mut self) -> Epoch {
        self.epoch = self.epoch.saturating_add(1);
        self.things.clear();
        self.frames.clear();
        Epoch(self.epoch)
    }

    /// The one that lasts until the next stop, or the next start.
    pub(crate) const fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }

    /// The number of a frame. `epoch` says at which stop it was read; if that is over, so is the frame.
    pub(crate) fn frame(&mut self, epoch: Epoch, slot: FrameSlot, body: Option<Arc<dyn FrameBody>>) -> Answer<i64> {
        self.check(epoch)?;
        let known = self.frames.get(&slot).copied();
        let id = match known {
            Some(id) => id,
            None => self.next()?,
        };
        self.frames.insert(slot, id);
        self.things.insert(id, Thing::Frame(body));
        Ok(id)
    }

    /// A number for something with children.
    pub(crate) fn container(&mut self, epoch: Epoch, container: Arc<dyn Container>) -> Answer<i64> {
        self.check(epoch)?;
        let id = self.next()?;
        self.things.insert(id, Thing::Container(container));
        Ok(id)
    }

    /// A number for something to step into.
    pub(crate) fn target(&mut self, epoch: Epoch, target: TargetId) -> Answer<i64> {
        self.check(epoch)?;
        let id = self.next()?;
        self.things.insert(id, Thing::Target(target));
        Ok(id)
    }

    /// What is to be stepped into.
    pub(crate) fn find_target(&self, id: i64) -> Answer<TargetId> {
        match self.things.get(&id) {
            Some(Thing::Target(target)) => Ok(*target),
            _ => Err(self.unknown(id, "targetId")),
        }
    }

    /// A number for an instruction.
    pub(crate) fn address(&mut self, epoch: Epoch, address: u64) -> Answer<i64> {
        self.check(epoch)?;
        let id = self.next()?;
        self.things.insert(id, Thing::Address(address));
        Ok(id)
    }

    /// The instruction of a number.
    pub(crate) fn find_address(&self, id: i64) -> Answer<u64> {
        match self.things.get(&id) {
            Some(Thing::Address(address)) => Ok(*address),
            _ => Err(self.unknown(id, "targetId")),
        }
    }

    /// Where in a stack a frame is.
    pub(crate) fn slot(&self, id: i64) -> Option<FrameSlot> {
        self.frames.iter().find(|(_, known)| **known == id).map(|(slot, _)| *slot)
    }

    /// The frame of a number; `None` inside for one without variables.
    pub(crate) fn find_frame(&self, id: i64) -> Answer<Option<Arc<dyn FrameBody>>> {
        match self.things.get(&id) {
            Some(Thing::Frame(body)) => Ok(body.clone()),
            _ => Err(self.unknown(id, "frame")),
        }
    }

    /// The container of a number.
    pub(crate) fn find_container(&self, id: i64) -> Answer<Arc<dyn Container>> {
        match self.things.get(&id) {
            Some(Thing::Container(container)) => Ok(Arc::clone(container)),
            _ => Err(self.unknown(id, "variablesReference")),
        }
    }

    fn check(&self, epoch: Epoch) -> Answer<()> {
        if epoch.0 == self.epoch { Ok(()) } else { Err(Error::resumed()) }
    }

    fn next(&mut self) -> Answer<i64> {
        if self.last >= LAST {
            return Err(Error::new(ErrorId::Internal, "this session has no numbers left for variables: restart it"));
        }
        self.last = self.last.saturating_add(1);
        Ok(self.last)
    }

    fn unknown(&self, id: i64, what: &str) -> Error {
        if (1..=self.last).contains(&id) && !self.things.contains_key(&id) {
            return Error::new(
                ErrorId::StaleReference,
                format!("{what} {id} is of an earlier stop: ask for the stack again"),
            );
        }
        Error::new(ErrorId::UnknownReference, format!("there is no {what} {id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_die_with_their_stop_and_are_not_reused() {
        let mut handles = Handles::default();
        let first = handles.turn();
        let slot = FrameSlot::Row(Target::Thread(7), 0);
        let id = handles.frame(first, slot, None).unwrap();
        assert_eq!(handles.frame(first, slot, None).unwrap(), id);
        assert!(handles.find_frame(id).unwrap().is_none());
        assert_eq!(handles.find_container(id).err().unwrap().id, ErrorId::UnknownReference);
        let second = handles.turn();
        assert_eq!(handles.find_frame(id).err().unwrap().id, ErrorId::StaleReference);
        assert_eq!(handles.frame(first, slot, None).unwrap_err().id, ErrorId::Resumed);
        assert_ne!(handles.frame(second, slot, None).unwrap(), id);
        assert_eq!(handles.find_frame(99).err().unwrap().id, ErrorId::UnknownReference);
        assert_eq!(handles.find_frame(-1).err().unwrap().id, ErrorId::UnknownReference);
    }
}
