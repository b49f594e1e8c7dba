//! Which task a thread polls, as far as breakpoints and steps have to know.

use weft_runtimes::Polling;
use weft_values::{EvaluateError, Stop, TaskValue, TaskVariable, ValueError};

use super::{Engine, State};

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

    /// Whether a thread polls the task that the user looks at.
    pub(super) fn is_in_focus(&self, stop: &Stop, tid: i32) -> bool {
        self.focus.is_some_and(|focus| self.polling(stop, tid).task().is_some_and(|task| task.key == focus))
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
