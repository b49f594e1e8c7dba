//! Steps at random through a program that is busy.

use serde_json::json;
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Launch};

use super::walk::stepped;

const SCRIPT: &str = "busy.py";

/// Numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % most
    }
}

/// Every step ends, in what the one worker does; nobody's answer is wrong, and the program runs on.
pub(super) fn take(python: &Python, steps: usize, seed: u64) {
    let mut client = Client::weft();
    let file = source(SCRIPT);
    let launch = Launch { breakpoints: Vec::new(), more: python.configuration() };
    let turn = json!({"line": line(SCRIPT, "turn"), "condition": "me == 2"});
    client.launch_configured(&file, &[], &launch, |client| {
        client.set_source_breakpoints(&file, std::slice::from_ref(&turn));
    });
    let mut stop = client.stopped();
    // One that all workers come to, but for the one.
    client.set_source_breakpoints(&file, &[json!({"line": line(SCRIPT, "turn"), "condition": "me != 2"})]);
    let mut random = Random(seed);
    let mut taken = Vec::new();
    for _ in 0..steps {
        let frames = client.stack(stop.thread);
        let own = frames.iter().position(|frame| frame.hint == "label").unwrap_or(frames.len());
        let how = match random.below(6) {
            0 | 1 => "into".to_owned(),
            2 if own > 1 => "out".to_owned(),
            3 => {
                let targets = client.step_in_targets(frames[0].id);
                let target = targets.get(random.below(targets.len().max(1)));
                target.map_or_else(|| "over".to_owned(), |(_, name)| format!("into:{}", name.replace(' ', "")))
            }
            _ => "over".to_owned(),
        };
        taken.push(format!("{how} {}:{}", frames[0].name, frames[0].line));
        if taken.len() > 12 {
            taken.remove(0);
        }
        stop = stepped(&mut client, stop.thread, &how).unwrap_or_else(|why| panic!("{why} after {taken:?}"));
        assert_eq!(stop.reason, "step", "{taken:?}");
        let top = client.top(stop.thread);
        assert_eq!(
            client.evaluate("locals()['me'] if 'me' in locals() else self.me", top.id).value,
            "2",
            "{} after {taken:?}",
            top.name
        );
    }
    // It runs as before.
    client.set_source_breakpoints(&file, &[turn]);
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(stop.reason, "breakpoint");
    assert_eq!(client.output("stderr"), "");
    client.disconnect();
}
