use crate::fixture::{Profile, stopped};
use std::sync::Arc;
use weft_runtimes::{LogicalFrame, Runtimes};
#[test]
#[ignore]
fn dump() {
    let name = std::env::var("P").unwrap();
    let args = std::env::var("A").unwrap_or_default();
    let args: Vec<&str> = args.split_whitespace().collect();
    let profile = if std::env::var("R").is_ok() { Profile::Release } else { Profile::Debug };
    let program = stopped(&name, profile, &args);
    let t = std::time::Instant::now();
    for m in program.stop.modules.iter() {
        if m.image.debug_info() == weft_symbols::DebugInfo::Present {
            m.image.index();
        }
    }
    eprintln!("index {:?}", t.elapsed());
    let runtimes = Runtimes::new();
    let t = std::time::Instant::now();
    let listing = Arc::new(runtimes.list(&program.stop));
    eprintln!("list {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let listing2 = runtimes.list(&program.stop);
    eprintln!("again {:?} {}", t.elapsed(), listing2.snapshot.tasks.len());
    if std::env::var("Q").is_ok() {
        return;
    }
    for n in &listing.snapshot.notes {
        eprintln!("note {n}");
    }
    for r in &listing.snapshot.runtimes {
        eprintln!("{r:?}");
    }
    for t in &listing.snapshot.tasks {
        eprintln!(
            "{:?} {:?} {} {:?} {:?} {:?}:{} frames {} wait {:?} by {} err {:?}",
            t.runtime_task_id,
            t.kind,
            t.name,
            t.state,
            t.os_thread,
            t.location.as_ref().map(|l| l.file.file_name().unwrap().to_owned()),
            t.location.as_ref().map_or(0, |l| l.line),
            t.frames,
            t.waiting_on.as_ref().map(|w| (w.kind, &w.text, w.resource.as_ref())),
            t.awaited_by.len(),
            t.error
        );
    }
    for th in &program.stop.threads {
        eprintln!("thread {} {}", th.tid, th.name);
        for f in runtimes.thread_stack(&program.stop, th.tid, &|| listing.clone()).frames {
            match f {
                LogicalFrame::Frame(f) => eprintln!(
                    "   {}{} {:?}",
                    if f.subtle { "~" } else { " " },
                    f.name,
                    f.location.map(|l| (l.file.file_name().unwrap().to_owned(), l.line))
                ),
                LogicalFrame::Task(k, n) => eprintln!("   == task {k:?} {n}"),
                LogicalFrame::AwaitedBy(k, n) => eprintln!("   == awaited by {k:?} {n}"),
            }
        }
    }
}

#[test]
#[ignore]
fn pid() {
    let (_t, stop) = crate::fixture::attached(std::env::var("P").unwrap().parse().unwrap());
    let runtimes = Runtimes::new();
    let listing = Arc::new(runtimes.list(&stop));
    fn show(f: &weft_tasks::Frame, d: usize) {
        eprintln!(
            "{:d$}{:?} {} {:?}:{} user {}",
            "",
            f.kind,
            f.name,
            f.location.as_ref().map(|l| l.file.file_name().unwrap().to_owned()),
            f.location.as_ref().map_or(0, |l| l.line),
            f.user_code,
            d = d * 2
        );
        for c in &f.children {
            show(c, d + 1);
        }
    }
    for t in &listing.snapshot.tasks {
        eprintln!(
            "{:?} {:?} {} {:?} {:?} wait {:?} err {:?}",
            t.runtime_task_id,
            t.kind,
            t.name,
            t.state,
            t.location.as_ref().map(|l| (l.file.file_name().unwrap().to_owned(), l.line)),
            t.waiting_on.as_ref().map(|w| (w.kind, &w.text, w.resource.as_ref())),
            t.error
        );
        for f in runtimes.stack(&stop, &listing, t.key).unwrap().frames {
            show(&f, 1);
        }
    }
}
