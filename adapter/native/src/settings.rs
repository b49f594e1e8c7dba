//! How a program is treated, in the engine's words.

use std::sync::Arc;

use weft_debugger::{Settings, SignalPolicy, signal_number};
use weft_protocol::{Error, ErrorId};
use weft_runtimes::Runtimes;
use weft_session::config::{self, SignalAction};
use weft_session::debuggee::Answer;

/// Works settings out; a signal that does not exist is named. `runtimes` keeps where tasks are spawned, if that is asked
/// for.
pub(crate) fn settings(given: &config::Settings, runtimes: &Arc<Runtimes>) -> Answer<Settings> {
    let mut settings = Settings {
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
