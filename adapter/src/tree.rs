//! The task tree as text: who awaits whom, what each does and where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

const NAME: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints the body of an `asyncTasks` response.
pub(crate) fn print(body: &Value) {
    anstream::print!("{}", text(body));
}

/// The tree with escape sequences for colour. A task stands below the task that awaits it; the first of several
/// awaiters has it, the others say `awaits task N`.
pub(crate) fn text(body: &Value) -> String {
    let tasks: Vec<&Value> = body["tasks"].as_array().into_iter().flatten().collect();
    let mut tree = Tree { by_awaiter: BTreeMap::new(), shown: BTreeSet::new(), out: String::new() };
    for task in &tasks {
        if let Some(awaiter) = task["awaitedBy"][0]["task"].as_u64() {
            tree.by_awaiter.entry(awaiter).or_default().push(task);
        }
    }
    for runtime in body["runtimes"].as_array().into_iter().flatten() {
        tree.runtime(runtime);
        let own = tasks.iter().filter(|task| task["runtime"] == runtime["id"]);
        let roots: Vec<_> = own.clone().filter(|task| task["awaitedBy"].as_array().is_none_or(Vec::is_empty)).collect();
        for task in roots {
            tree.task(task, 1);
        }
        // Tasks that await each other in a circle have no root: they come last, each once.
        for task in own {
            tree.task(task, 1);
        }
    }
    for problem in body["problems"].as_array().into_iter().flatten() {
        let word = |key: &str| problem[key].as_str().unwrap_or_default();
        let _ = writeln!(tree.out, "{BAD}{}:{BAD:#} {}", word("kind"), word("text"));
    }
    for note in body["notes"].as_array().into_iter().flatten() {
        let _ = writeln!(tree.out, "{DIM}note: {}{DIM:#}", note.as_str().unwrap_or_default());
    }
    tree.out
}

struct Tree<'a> {
    by_awaiter: BTreeMap<u64, Vec<&'a Value>>,
    shown: BTreeSet<u64>,
    out: String,
}

impl Tree<'_> {
    fn runtime(&mut self, runtime: &Value) {
        let threads = runtime["osThreads"].as_array().map_or(0, Vec::len);
        let name = runtime["name"].as_str().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let kind = runtime["kind"].as_str().unwrap_or("?");
        let tasks = count(runtime["taskCount"].as_u64().unwrap_or(0), "task");
        let _ = writeln!(self.out, "{kind}{name}, {tasks}, {}", count(threads as u64, "thread"));
    }

    fn task(&mut self, task: &Value, depth: usize) {
        let Some(id) = task["id"].as_u64().filter(|id| self.shown.insert(*id)) else { return };
        let name = task["name"].as_str().unwrap_or("?");
        let kind = match task["kind"].as_str() {
            Some("task") | None => String::new(),
            Some(kind) => format!(" ({kind})"),
        };
        let _ = writeln!(
            self.out,
            "{:indent$}{id:>4} {NAME}{name}{NAME:#}{kind} {}{}",
            "",
            state(task),
            place(&task["location"]),
            indent = depth.saturating_mul(2).saturating_sub(2),
        );
        for child in self.by_awaiter.get(&id).cloned().unwrap_or_default() {
            self.task(child, depth.saturating_add(1));
        }
    }
}

fn state(task: &Value) -> String {
    let state = task["state"].as_str().unwrap_or("?");
    if let Some(error) = task["error"].as_str() {
        return format!("{BAD}{state}: {error}{BAD:#}");
    }
    match (task["waitingOn"]["text"].as_str(), task["osThread"].as_i64()) {
        (Some(text), _) => format!("{state}: {text}"),
        (None, Some(thread)) => format!("{state} on thread {thread}"),
        (None, None) => state.to_owned(),
    }
}

fn place(location: &Value) -> String {
    let Some(path) = location["source"]["path"].as_str() else { return String::new() };
    let file = Path::new(path).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    format!(" {DIM}at {file}:{}{DIM:#}", location["line"])
}

fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plain(body: &Value) -> String {
        anstream::adapter::strip_str(&text(body)).to_string()
    }

    #[test]
    fn a_task_stands_below_its_awaiter() {
        let body = json!({
            "runtimes": [{"id": 1, "kind": "tokio-multi-thread", "osThreads": [7, 8], "taskCount": 2}],
            "tasks": [
                {"id": 1, "runtime": 1, "name": "app::main", "kind": "root", "state": "waiting",
                 "waitingOn": {"kind": "join", "text": "task 2"}, "awaitedBy": [],
                 "location": {"source": {"path": "/src/main.rs"}, "line": 9}},
                {"id": 2, "runtime": 1, "name": "app::serve", "kind": "task", "state": "running", "osThread": 8,
                 "awaitedBy": [{"task": 1, "via": "join"}]},
            ],
            "problems": [{"kind": "deadlock", "severity": "error", "text": "a task waits for itself", "tasks": [1]}],
            "notes": ["one thing could not be seen"],
        });
        assert_eq!(
            plain(&body),
            "tokio-multi-thread, 2 tasks, 2 threads\n   1 app::main (root) waiting: task 2 at main.rs:9\n     2 app::serve \
             running on thread 8\ndeadlock: a task waits for itself\nnote: one thing could not be seen\n"
        );
    }

    #[test]
    fn a_circle_is_shown_once() {
        let task = |id: u64, by: u64| json!({"id": id, "runtime": 1, "name": "f", "kind": "task", "state": "waiting", "awaitedBy": [{"task": by}]});
        let body = json!({"runtimes": [{"id": 1, "kind": "k"}], "tasks": [task(1, 2), task(2, 1)]});
        assert_eq!(plain(&body), "k, 0 tasks, 0 threads\n   1 f waiting\n     2 f waiting\n");
    }
}
