//! Programs that ask for a debugger themselves: `breakpoint()`, `pdb.set_trace()`.

use weft_tests::python::line;
use weft_tests::{Client, on_each_python};

on_each_python! {
    /// Each stops on its own line, with its variables, and can be stepped from; nothing reads the program's input.
    fn a_program_stops_where_it_asks_to(python: &Python) {
        let mut client = Client::weft();
        python.launch(&mut client, "breaks.py", &[]);
        let at = |marker| line("breaks.py", marker);
        let stop = client.stopped();
        assert_eq!((stop.reason.as_str(), &stop.hit[..]), ("breakpoint", &[][..]));
        let top = client.top(stop.thread);
        assert_eq!((top.name.as_str(), top.line), ("asks", at("breakpoint")));
        assert_eq!(client.evaluate("number", top.id).value, "1");
        let stop = client.step("next", stop.thread);
        let top = client.top(stop.thread);
        assert_eq!((top.line, client.evaluate("number", top.id).value.as_str()), (at("next"), "1"));
        let stop = client.resume_to_stop(stop.thread);
        let top = client.top(stop.thread);
        assert_eq!((top.line, client.evaluate("number", top.id).value.as_str()), (at("breakpoint"), "2"));
        for (marker, name) in [("pdb", "traced"), ("last", "last")] {
            let stop = client.resume_to_stop(stop.thread);
            let top = client.top(stop.thread);
            assert_eq!((stop.reason.as_str(), top.name.as_str(), top.line), ("breakpoint", name, at(marker)));
        }
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!((client.output("stdout"), client.output("stderr")), ("done [1, 2]\n".to_owned(), String::new()));
    }

    /// A session ends in the midst of it.
    fn a_session_ends_where_a_program_asked_to_stop(python: &Python) {
        let mut client = Client::weft();
        python.launch(&mut client, "breaks.py", &[]);
        client.stopped();
        client.disconnect();
    }
}
