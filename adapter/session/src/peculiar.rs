//! What is known of some clients beyond what they say of themselves: messages that they cannot bear.

/// What a client must not be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unbearable {
    /// Events of these names.
    pub(crate) events: &'static [&'static str],
    /// That a task has become a thread, or is none any more.
    pub(crate) task_threads: bool,
}

/// Says so by the `clientID` of `initialize`. Both clients ask for the threads at every stop, and so miss nothing.
pub(crate) fn unbearable(client: Option<&str>) -> Unbearable {
    match client {
        // Helix 25.01 reads nothing any more after an event that it does not know. And every one up to 25.07 at least shows the
        // thread that a `thread` event has named last, instead of the one that has stopped.
        Some("hx") => Unbearable { events: &["asyncTasksChanged", "thread"], task_threads: true },
        // Emacs' dape (0.24) takes a thread that is said to have started for one that runs, although everything is stopped.
        Some("dape") => Unbearable { events: &[], task_threads: true },
        _ => Unbearable::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_known_bears_everything() {
        assert_eq!(unbearable(Some("vscode")), Unbearable::default());
        assert_eq!(unbearable(None), Unbearable::default());
        assert!(unbearable(Some("hx")).events.contains(&"asyncTasksChanged") && unbearable(Some("dape")).task_threads);
    }
}
