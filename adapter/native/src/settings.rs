//! How a program is treated, in the engine's words.

use std::sync::Arc;

use weft_debugger::{Settings, SignalPolicy, StepMode, TaskNumbers, signal_number};
use weft_protocol::{Error, ErrorId};
use weft_runtimes::Runtimes;
use weft_session::EventSender;
use weft_session::config::{self, SignalAction};
use weft_session::debuggee::Answer;

/// Works settings out; a signal that does not exist is named. `runtimes` keeps what is known of tasks, and where they are
/// spawned if that is asked for; `events` leads to who numbers them.
pub(crate) fn settings(given: &config::Settings, runtimes: &Arc<Runtimes>, events: &EventSender) -> Answer<Settings> {
    let numbers = events.clone();
    let mut settings = Settings {
        runtimes: Arc::clone(runtimes),
        task_numbers: TaskNumbers(Arc::new(move |task| numbers.task_number(task))),
        long_poll: given.long_poll,
        step_mode: match given.step_mode {
            config::StepMode::Task => StepMode::Task,
            config::StepMode::Thread => StepMode::Thread,
        },
        follow_forks: given.follow_forks,
        step_into_runtime: given.step_into_runtime,
        debug_directories: given.debug_directories.clone(),
        record_spawns: given.spawn_sites.then(|| Arc::clone(runtimes)),
        ..Settings::default()
    };
    if let Some(pin) = given.pin_threads {
        settings.pin_threads = pin;
    }
    for (name, action) in &given.signals {
        let shown: String = name.chars().take(40).collect();
        let number = signal_number(name).ok_or_else(|| {
            let sentence = format!("`signals`: there is no signal `{shown}`: write it as SIGUSR1, SIGRTMIN+1 or 10");
            Error::new(ErrorId::InvalidConfiguration, sentence)
        })?;
        let policy = match action {
            SignalAction::Pass => SignalPolicy::Pass,
            SignalAction::Stop => SignalPolicy::Stop,
            SignalAction::Ignore => SignalPolicy::Ignore,
        };
        settings.signals.insert(number, policy);
    }
    Ok(settings)
}
