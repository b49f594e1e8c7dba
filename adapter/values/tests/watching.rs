//! What of a real program the hardware could watch.

mod support;

use support::traced::Traced;
use weft_values::{Frame, FrameVariable, Stop, Within, data_target, frames, variables};

struct Here {
    stop: Stop,
    frame: Frame,
    list: Vec<FrameVariable>,
}

impl Here {
    fn new(stop: Stop, index: usize) -> Self {
        let frame = frames(&stop, stop.threads[0].tid, index + 1).frames.remove(index);
        let list = variables(&stop, &frame);
        Self { stop, frame, list }
    }

    fn target(&self, text: &str) -> Result<weft_values::DataTarget, String> {
        let within = Within { variables: &self.list, path: "conditions::main", nameless: None };
        data_target(&self.stop, Some(&self.frame), &within, text).map_err(|error| error.to_string())
    }
}

#[test]
fn what_can_be_watched_is_found_with_its_owner() {
    let mut program = Traced::start("conditions", &[]);
    let here = Here::new(program.next().expect("the program reaches its first stop"), 0);
    let tid = here.frame.tid;
    let cfa = here.frame.cfa.expect("the frame is known");
    for (text, size, type_name, is_local) in [
        ("local", 4, "i32", true),
        ("flag", 1, "bool", true),
        ("self", 8, "&mut Worker", true),
        ("self.state", 1, "State", false),
        ("self.inner.depth", 2, "u16", false),
        ("self.inner", 8, "Box<Inner>", false),
        ("HITS", 8, "AtomicU64", false),
        ("LIMITS.0", 4, "u32", false),
    ] {
        let target = here.target(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((target.size, target.type_name.as_str(), target.name.as_str()), (size, type_name, text));
        assert_eq!(target.address.raw() % size, 0);
        let own = target.local_of.filter(|local| local.cfa == cfa);
        assert_eq!(own.is_some(), is_local, "{text}");
        assert!(target.local_of.is_none_or(|local| local.tid == tid));
    }
    // What `self` refers to is a local of the caller, and ends with it.
    let main = frames(&here.stop, tid, 2).frames.remove(1);
    assert_eq!(here.target("self.id").map(|target| target.local_of.map(|local| Some(local.cfa))), Ok(Some(main.cfa)));
    assert_eq!(here.target("HITS").map(|target| target.local_of), Ok(None));
    assert_eq!(here.target("self.inner.depth").map(|target| target.local_of), Ok(None), "it is on the heap");
}

#[test]
fn what_cannot_be_watched_says_why_and_what_can() {
    let mut program = Traced::start("conditions", &[]);
    let first = Here::new(program.next().expect("the program reaches its first stop"), 0);
    for (text, sentence) in [
        ("wide", "`wide` has 16 bytes, the hardware watches 8 at most; watch one of its parts"),
        (
            "local + 1",
            "`local + 1` lies nowhere in memory here: it is computed or held in a register; watch something that does",
        ),
        ("nothing", "no variable `nothing` in this frame"),
    ] {
        assert_eq!(first.target(text), Err(sentence.to_owned()));
    }
    let locals = Here::new(program.next().expect("the program reaches its second stop"), 0);
    assert_eq!(
        locals.target("list"),
        Err("`list` has 24 bytes, the hardware watches 8 at most; watch a part of it: `list.len`".to_owned())
    );
    // What is no power of two takes several of the hardware's watches.
    for (text, size) in [("*slice", 5), ("list[0..3]", 3)] {
        assert_eq!(locals.target(text).map(|target| target.size), Ok(size), "{text}");
    }
    assert!(locals.target("list.len").is_ok());
}
