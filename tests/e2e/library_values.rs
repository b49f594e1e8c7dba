//! Values of types of libraries that are in most programs, as a reader knows them.

use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Variable};

const FILE: &str = "library_zoo/src/main.rs";

/// At one of the program's places: names and values. `…` at the end of a value: what follows is not compared.
type Place = (&'static str, &'static [(&'static str, &'static str)]);

const PLACES: &[Place] = &[
    (
        "locks",
        &[
            ("free", "Mutex(unlocked) { data: 1 }"),
            ("held", "Mutex(locked) { data: 2 }"),
            ("guard", "2"),
            ("open", "RwLock(unlocked) { data: 1 }"),
            ("read", "RwLock(2 readers) { data: 2 }"),
            ("written", "RwLock(write locked) { data: 3 }"),
            ("reader", "2"),
            ("writer", "3"),
            ("t_free", "Mutex(unlocked) { data: 1 }"),
            ("t_held", "Arc(strong=1) Mutex(locked) { data: 2 }"),
            ("t_guard", "2"),
            ("t_open", "RwLock(unlocked) { data: 1 }"),
            ("t_read", "RwLock(2 readers) { data: 2 }"),
            ("t_written", "RwLock(write locked) { data: 3 }"),
            ("t_reader", "2"),
            ("t_writer", "3"),
            ("semaphore", "Semaphore(2 free)"),
            ("ended", "Semaphore(2 free, closed)"),
            ("notify", "Notify(nobody waits)"),
            ("notified", "Notify(a permit is stored)"),
            ("once", "OnceCell(<uninit>)"),
            ("set", "OnceCell(5)"),
            ("cell", "OnceCell(<uninit>)"),
            ("cell_set", "OnceCell(6)"),
            ("unsync", "OnceCell(7)"),
            ("lazy", "Lazy(<uninit>)"),
            ("forced", "Lazy(9)"),
        ],
    ),
    (
        "channels",
        &[
            ("sender", "Sender(2 senders, 3 of 5 queued, 2 free)"),
            ("second", "Sender(2 senders, 3 of 5 queued, 2 free)"),
            ("receiver", "Receiver(2 senders, 3 of 5 queued, 2 free)"),
            ("unbounded", "UnboundedSender(1 sender, 40 queued)"),
            ("unbounded_receiver", "UnboundedReceiver(1 sender, 40 queued)"),
            ("orphan", "Sender(1 sender, 0 of 2 queued, 2 free, closed)"),
            ("widow", "Receiver(0 senders, 0 of 2 queued, 2 free)"),
            ("once", "Sender(nothing sent yet)"),
            ("once_receiver", "Receiver(nothing sent yet)"),
            ("sent_receiver", "Receiver { [sent]: 3 }"),
            ("dropped", "Receiver(sender dropped or value taken)"),
            ("watched", "Sender { [value]: 6 }"),
            ("watcher", "Receiver(changed) { [value]: 6 }"),
            ("seen", "Receiver(seen) { [value]: 6 }"),
            ("spread", "Sender(1 sender, 2 receivers)"),
            ("late", "Receiver(1 sender, 2 receivers, 3 to receive)"),
        ],
    ),
    ("waker", &[("own", "Waker(Handle)")]),
    (
        "tasks",
        &[
            ("idle", "JoinHandle(task …"),
            ("done", "JoinHandle(task …"),
            ("cancelled", "JoinHandle(task …"),
            ("scheduled", "JoinHandle(task …"),
            ("waker", "Waker(Alarm)"),
            ("of_task", "Waker(task …"),
        ],
    ),
    ("sockets", &[("listener", "TcpListener { fd: …"), ("stream", "TcpStream { fd: …")]),
    (
        "texts",
        &[
            ("fixed", "b\"fixed\""),
            ("shared", "b\"a\\0\\xff\""),
            ("part", "b\"\\0\\xff\""),
            ("growing", "b\"ing\""),
            ("taken", "b\"grow\""),
            ("small", "[1, 2, 3]"),
            ("spilled", "[1, 2, 3]"),
            ("full", "[\"a\"]"),
            ("none", "[]"),
            ("nothing", "[(), (), (), (), (), ()]"),
            ("id", "01234567-89ab-cdef-0123-456789abcdef"),
        ],
    ),
    (
        "requests",
        &[
            ("get", "GET"),
            ("custom", "PURGE"),
            ("long", "A-METHOD-THAT-IS-LONG"),
            ("status", "404"),
            ("version", "HTTP/1.1"),
            ("uri", "https://user@example.org:8080/path?query=1"),
            ("relative", "/only/path"),
            ("star", "*"),
            ("other", "ftp://host/"),
            ("name", "\"sec-websocket-key\""),
            ("own", "\"x-own\""),
            ("value", "\"text/plain\""),
            ("secret", "Sensitive"),
            ("empty", "{}"),
            (
                "headers",
                "{\"content-type\": \"text/plain\", \"set-cookie\": \"a=1\", \"set-cookie\": \"b=2\", \"set-cookie\": \"c=3\", \"x-own\": Sensitive, \"x-own\": \"text/plain\"}",
            ),
        ],
    ),
];

/// What is wrong of a place's variables.
fn differences(locals: &[Variable], expected: &[(&str, &str)]) -> Vec<String> {
    let shown = |name: &str| {
        let found = locals.iter().find(|variable| variable.name == name);
        found.map_or_else(|| "nothing of that name".to_owned(), |variable| variable.value.clone())
    };
    let differs = |(name, value): &(&str, &str)| {
        let shown = shown(name);
        let same = value.strip_suffix('…').map_or(shown == *value, |start| shown.starts_with(start));
        (!same).then(|| format!("{name}: {shown}, not {value}"))
    };
    expected.iter().filter_map(differs).collect()
}

fn value<'a>(locals: &'a [Variable], name: &str) -> &'a str {
    locals.iter().find(|variable| variable.name == name).map_or("", |variable| &variable.value)
}

/// A name may have several values.
fn every_header_has_its_own_expression(client: &mut Client, frame: i64) {
    let headers = client.evaluate("headers", frame).reference;
    let rows = client.variables(headers);
    let expressions: Vec<_> = rows.iter().map(|row| row.evaluate_name.clone().unwrap_or_default()).collect();
    assert_eq!(expressions, (0..6).map(|at| format!("headers.values().nth({at})")).collect::<Vec<_>>());
    for (row, expression) in rows.iter().zip(expressions) {
        assert_eq!(client.evaluate(&expression, frame).value, row.value, "{expression}");
    }
}

#[test]
fn types_of_libraries_are_shown_as_what_they_are() {
    let mut client = Client::weft();
    let (first, _) = PLACES[0];
    let mut stop = client.launch_to(&program("library_zoo", Profile::Debug), &[], source(FILE), line(FILE, first));
    let lines: Vec<i64> = PLACES.iter().map(|(place, _)| line(FILE, place)).collect();
    client.set_breakpoints(&source(FILE), &lines);
    let mut wrong = Vec::new();
    for (index, (place, expected)) in PLACES.iter().enumerate() {
        if index > 0 {
            stop = client.resume_to_stop(stop.thread);
        }
        let frame = client.top(stop.thread).id;
        let locals = client.locals(frame);
        wrong.extend(differences(&locals, expected).into_iter().map(|text| format!("{place}: {text}")));
        match *place {
            "tasks" => {
                for (name, state) in [
                    ("idle", "idle"),
                    ("done", "complete"),
                    ("cancelled", "complete, abort was called"),
                    ("scheduled", "complete"),
                ] {
                    assert!(value(&locals, name).ends_with(&format!(", {state})")), "{name}: {}", value(&locals, name));
                }
            }
            "sockets" => {
                let (own, peer) = (value(&locals, "own"), value(&locals, "peer"));
                let stream = value(&locals, "stream");
                assert!(stream.ends_with(&format!(", local: {own}, peer: {peer} }}")), "{stream}");
                let listener = value(&locals, "listener");
                assert!(listener.ends_with(&format!(", local: {peer} }}")), "{listener}");
            }
            "requests" => every_header_has_its_own_expression(&mut client, frame),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    client.disconnect();
}
