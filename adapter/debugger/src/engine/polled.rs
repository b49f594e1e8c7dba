//! Which task a thread polls, as far as breakpoints and steps have to know.

use weft_memory::MemAddr;
use weft_runtimes::Polling;
use weft_tasks::TaskKey;
use weft_values::{EvaluateError, Stop, TaskValue, TaskVariable, ValueError};

use super::{Engine, State};
use crate::Event;

impl Engine {
    pub(super) fn polling(&self, stop: &Stop, tid: i32) -> Polling {
        self.settings.runtimes.polled_by(stop, tid)
    }

    /// What a condition or a log message asks of the task that a thread polls.
    pub(super) fn task_variable(&self, stop: &Stop, tid: i32, asked: TaskVariable) -> Result<TaskValue, EvaluateError> {
        let task = match self.polling(stop, tid) {
            Polling::Task(task) => task,
            Polling::Nobody => return Err(EvaluateError::NoTask),
            Polling::Unknown(why) => return Err(EvaluateError::Unavailable(why)),
        };
        match asked {
            TaskVariable::Id => Ok(TaskValue::Number(self.settings.task_numbers.of(task.key))),
            TaskVariable::Name => Ok(TaskValue::Text(task.name.to_string())),
            TaskVariable::RuntimeId => task.runtime_id.map(TaskValue::Number).ok_or_else(|| {
                ValueError::Unavailable(format!("the runtime of {} does not number its tasks", task.name)).into()
            }),
        }
    }

    /// Whether a thread polls the task that the user looks at; else why nobody can tell.
    pub(super) fn is_in_focus(&self, stop: &Stop, tid: i32) -> Result<bool, String> {
        let Some(focus) = self.focus else { return Ok(false) };
        match self.polling(stop, tid) {
            Polling::Task(task) => Ok(task.key == focus),
            Polling::Nobody => Ok(false),
            Polling::Unknown(why) => Err(why),
        }
    }

    /// Where the end of a task can be seen that is about to run to a line; says so if it cannot.
    pub(super) fn ends_of(&self, stop: &Stop, task: TaskKey, line: u32) -> Vec<MemAddr> {
        match self.settings.runtimes.task_traps(stop, task) {
            Ok(traps) => traps.ends,
            Err(why) => {
                (self.events)(Event::Note(format!(
                    "if the task does not come to line {line} the program does not stop, for its end cannot be seen: {why}"
                )));
                Vec::new()
            }
        }
    }

    /// Whether the user looks at a task: one that was chosen, or shown by a stop, be it the current one.
    pub(super) fn has_focus(&self) -> bool {
        let shown = || match self.state {
            State::Stopped(tid) => self.shared.current().is_some_and(|stop| self.polling(&stop, tid).task().is_some()),
            _ => false,
        };
        self.focus.is_some() || shown()
    }

    /// The user has seen a stop of this thread, and so the task that it polls; one that was chosen meanwhile counts more.
    pub(super) fn look_at_task(&mut self, shown: i32) {
        if std::mem::take(&mut self.focus_chosen) {
            return;
        }
        let Some(stop) = self.shared.current() else { return };
        if let Some(task) = self.polling(&stop, shown).task() {
            self.focus = Some(task.key);
        }
    }
}
