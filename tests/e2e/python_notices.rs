//! What asyncio would say to whoever reads its log, without its debug mode: each once, with the place to look at.

use serde_json::json;
use weft_tests::python::{line, source};
use weft_tests::{Client, Launch, on_each_python};

on_each_python! {
    /// A coroutine never awaited, a failure that nobody looked at, a callback that raised, a task deleted, a record of the log.
    fn notices_come_once_with_their_place(python: &Python) {
        let mut client = Client::weft();
        python.launch(&mut client, "notices.py", &[]);
        assert_eq!(client.exited(), 0);
        let at = |marker: &str| line("notices.py", marker);
        let created = |marker: &str| format!("created at {}:{}", source("notices.py").display(), at(marker));
        let all = client.placed_output();
        let once = |text: &str, file: &str, marker: Option<&str>, more: &str| {
            let said: Vec<_> = all.iter().filter(|(said, ..)| said.contains(text)).collect();
            let [(said, name, line)] = said[..] else { panic!("{text:?} was said {} times: {all:?}", said.len()) };
            assert_eq!((name.as_str(), said.ends_with(&format!("{more}\n"))), (file, true), "{said}");
            assert!(marker.is_none_or(|marker| at(marker) == *line), "{said}: line {line}");
        };
        once("coroutine forgotten was never awaited", "notices.py", Some("forgotten"), "");
        once("slow held up its loop for", "notices.py", Some("slow"), "");
        once("callback slow_callback held up its loop for", "notices.py", Some("slow_callback"), "");
        once("unseen ended with ValueError: on purpose, and nobody looked", "notices.py", Some("fails"), &created("unseen"));
        once("LookupError: in a callback", "notices.py", Some("bad_callback"), "");
        once("pending was deleted while it waited", "notices.py", None, &created("pending"));
        once("asyncio WARNING: a word of its own", "notices.py", Some("log"), "");
        // What the program prints is what it prints without a debugger.
        let printed = client.output("stderr");
        for text in ["Task exception was never retrieved", "a word of its own", "Task was destroyed but it is pending!"] {
            assert_eq!(printed.matches(text).count(), 1, "{text}: {printed}");
        }
    }

    /// Each place once, with what to use instead; nothing of what is right.
    fn calls_from_other_threads_are_told_with_their_place(python: &Python) {
        let mut client = Client::weft();
        // The loop stands while the threads are at work.
        let more = python.with(&json!({"asyncio": {"slowCallbackDuration": 0}}));
        client.launch(&source("foreign.py"), &[], &Launch { breakpoints: Vec::new(), more });
        assert_eq!(client.exited(), 0);
        let all = client.placed_output();
        let lines: Vec<(&str, i64)> = all.iter().map(|(_, name, line)| (name.as_str(), *line)).collect();
        let markers = ["call_soon", "call_later", "call_at", "create_task", "set_result", "set"];
        assert_eq!(lines, markers.map(|marker| ("foreign.py", line("foreign.py", marker))), "{all:?}");
        assert!(all[0].0.starts_with("`call_soon` is called in thread wrong, and the loop runs in thread MainThread"), "{all:?}");
        let task = "is to wake task ";
        let created = format!(" waits; created at {}:{}\n", source("foreign.py").display(), line("foreign.py", "waits"));
        assert!(all[4].0.contains(task) && all[4].0.ends_with(&created), "{all:?}");
        assert!(all[..4].iter().all(|(said, ..)| !said.contains(task)), "{all:?}");
    }
}
