//! A task's logical stack.

use std::path::PathBuf;
use std::sync::Arc;

/// A place in source code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file as the debug information names it, made absolute.
    pub file: PathBuf,
    /// From 1.
    pub line: u32,
    /// From 1; 0 when it is not recorded (the await point of a suspended coroutine has none).
    pub column: u32,
}

/// What kind of thing a logical frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// A suspended coroutine, with the line where it awaits.
    Await,
    /// A frame on a thread's stack.
    Physical,
    /// A primitive future without a line: a timer, a socket's readiness, a lock's waiter.
    Leaf,
    /// A grouping of several futures: `join!`, `select!`, a set.
    Branch,
    /// The awaiter of the task that was shown so far.
    Boundary,
    /// Who spawned the task that was shown so far; below it the frames of the thread that did, as they were then.
    SpawnSite,
}

/// Where a frame's variables are to be had; an index into what the backend kept beside the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameBody(pub u32);

/// One node of a task's logical stack: outermost first, children go inward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The source's name for it: `mini_redis::server::Listener::accept`.
    pub name: String,
    /// Where it awaits or executes.
    pub location: Option<Arc<Location>>,
    /// What it is.
    pub kind: FrameKind,
    /// Whether it is code of the user (and not of the standard library or of a runtime).
    pub user_code: bool,
    /// Its variables; none for leaves, branches and boundaries.
    pub body: Option<FrameBody>,
    /// For a boundary: the awaiter. For a spawn site: the task that spawned, if it is known.
    pub task: Option<crate::TaskKey>,
    /// What a reader should know beyond the rest, in a few words: which branches are live, that it was never polled.
    pub note: Option<String>,
    /// What it awaits; several below a branch.
    pub children: Vec<Frame>,
}

impl Frame {
    /// The innermost frame of user code on the first branch that has one, else the innermost frame of all: what
    /// a task's `location` is taken from. Boundaries (awaiters) and spawn sites do not count.
    pub fn innermost(frames: &[Frame]) -> Option<&Frame> {
        fn last<'a>(frames: &'a [Frame], wanted: &dyn Fn(&Frame) -> bool) -> Option<&'a Frame> {
            let own = |frame: &&Frame| !matches!(frame.kind, FrameKind::Boundary | FrameKind::SpawnSite);
            frames.iter().filter(own).find_map(|frame| {
                last(&frame.children, wanted).or_else(|| (wanted(frame) && frame.location.is_some()).then_some(frame))
            })
        }
        last(frames, &|frame| frame.user_code).or_else(|| last(frames, &|_| true))
    }

    /// How many frames this one and everything below it are.
    pub fn count(&self) -> usize {
        self.children.iter().map(Frame::count).fold(1, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, line: u32, user_code: bool, children: Vec<Frame>) -> Frame {
        let location = (line > 0).then(|| Arc::new(Location { file: PathBuf::from("/a.rs"), line, column: 0 }));
        Frame {
            name: name.into(),
            location,
            kind: FrameKind::Await,
            user_code,
            body: None,
            task: None,
            note: None,
            children,
        }
    }

    #[test]
    fn the_innermost_user_frame_is_found_below_plumbing() {
        let sleep = frame("Sleep", 0, false, vec![]);
        let plumbing = frame("tokio::x", 9, false, vec![sleep]);
        let user = frame("mine::f", 5, true, vec![plumbing]);
        let tree = vec![frame("mine::main", 2, true, vec![user])];
        assert_eq!(Frame::innermost(&tree).map(|frame| frame.name.as_str()), Some("mine::f"));
        assert_eq!(tree.iter().map(Frame::count).sum::<usize>(), 4);
    }

    #[test]
    fn without_user_code_the_innermost_with_a_line_serves() {
        let tree = vec![frame("tokio::x", 9, false, vec![frame("Sleep", 0, false, vec![])])];
        assert_eq!(Frame::innermost(&tree).map(|frame| frame.name.as_str()), Some("tokio::x"));
    }
}
