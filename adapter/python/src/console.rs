//! `await` in the debug console: the program's own loop turns while it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, DebuggeeEvent, Value};

use crate::face::Face;
use crate::link::Fault;
use crate::probe::awaiting;
use crate::state::Epoch;
use crate::tasks::Tasks;
use crate::variables::{EVALUATE_PATIENCE, post, value};

/// How long something may be awaited; it is cancelled then.
const AWAIT_PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether the client has taken its request back.
const LOOK: Duration = Duration::from_millis(50);

/// Each has a number to be cancelled by.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What something that awaits comes to, in a frame of pydevd's; `called_off`: the client does not want to know any more.
pub(crate) fn awaited(
    face: &Arc<Face>,
    tasks: &Tasks,
    epoch: Epoch,
    frame: i64,
    expression: &str,
    context: Option<&EvaluateContext>,
    called_off: &dyn Fn() -> bool,
) -> Answer<Value> {
    if matches!(context, Some(EvaluateContext::Watch | EvaluateContext::Hover)) {
        // They are asked for at every stop, and by moving a mouse.
        let sentence = "`await` lets the program's loop run: type it in the debug console";
        return Err(Error::new(ErrorId::Evaluate, sentence));
    }
    face.standing.check(epoch)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let wrapped = awaiting(expression, AWAIT_PATIENCE, number);
    let until = Instant::now() + EVALUATE_PATIENCE;
    let mut given_up = false;
    let answer = post(face, Some(frame), &wrapped, context).and_then(|asked| {
        loop {
            match asked.wait(LOOK) {
                Err(Fault::Late { .. }) if Instant::now() < until => {}
                answer => return answer,
            }
            if called_off() && !given_up {
                given_up = true;
                tasks.give_up(number);
            }
        }
    });
    if face.standing.check(epoch).is_ok() {
        tasks.look_again();
        face.events.send(DebuggeeEvent::Changed);
    }
    face.standing.change();
    value(face, epoch, Some(frame), answer)
}
