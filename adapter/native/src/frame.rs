//! A frame's scopes: the variables of a function at work, or those that a suspended coroutine keeps.

use std::sync::Arc;

use weft_protocol::spec::{CompletionItemType, EvaluateContext};
use weft_protocol::{Error, ErrorId};
use weft_runtimes::{Body, Runtimes, Suspended};
use weft_session::debuggee::{Answer, Call, Completions, Container, FrameBody, Scope, ScopeKind, Value, Watchable};
use weft_symbols::Role;
use weft_values::{
    FrameVariable, Offered, Place, Stop, Within, assignment, completions, data_target, evaluate, is_user_crate,
    no_variables, variables,
};

use crate::breakpoints::watchable;
use crate::changes::Changes;
use crate::statics::Statics;
use crate::tasks::Tasks;
use crate::variables::{NoVariables, RegisterList, ScopeVariables, still, value};

/// The frame in which values are looked at.
pub(crate) struct Home {
    runtimes: Arc<Runtimes>,
    changes: Arc<Changes>,
    /// As it was when the frame was found.
    found: Arc<Stop>,
    body: Body,
}

/// A frame that has variables.
struct Variabled(Arc<Home>);

/// A frame body for the session.
pub(crate) fn body(tasks: &Tasks, stop: &Arc<Stop>, body: Body) -> Arc<dyn FrameBody> {
    let (runtimes, changes) = (tasks.runtimes.clone(), tasks.changes.clone());
    Arc::new(Variabled(Arc::new(Home { runtimes, changes, found: stop.clone(), body })))
}

impl Home {
    /// The program as it stands, with what the user has changed in it since it stopped.
    pub(crate) fn stop(&self) -> Arc<Stop> {
        self.changes.now(&self.found)
    }

    /// The value of an expression in this frame, as a place.
    fn evaluated(&self, stop: &Stop, expression: &str) -> Answer<Place> {
        let found = self.within(|within| evaluate(stop, within, expression))?;
        still(stop)?;
        found.map_err(|error| Error::new(ErrorId::Evaluate, error))
    }

    /// Gives a place the value of an expression in this frame, and says what is there then.
    pub(crate) fn set(self: &Arc<Self>, place: Place, text: &str, expression: Option<String>) -> Answer<Value> {
        let stop = self.stop();
        let writes = self.within(|within| assignment(&stop, within, &place, text))?;
        still(&stop)?;
        let writes = writes.map_err(|error| Error::new(ErrorId::Evaluate, error))?;
        self.changes.write(&stop, writes)?;
        Ok(value(self, place, expression))
    }

    /// With the names that an expression can use here.
    fn within<R>(&self, what: impl FnOnce(&Within<'_>) -> R) -> Answer<R> {
        let list = self.variables()?;
        let (path, nameless) = (self.path(), self.nameless(&list));
        Ok(what(&Within { variables: &list, path: &path, nameless: nameless.as_deref() }))
    }

    fn variables(&self) -> Answer<Vec<FrameVariable>> {
        let stop = self.stop();
        let list = match &self.body {
            Body::Physical(frame) => variables(&stop, frame),
            Body::Suspended(coroutine) => {
                let state = self.runtimes.suspended(&stop, coroutine);
                let state = state.map_err(|error| Error::new(ErrorId::Unreadable, error))?;
                state.upvars.into_iter().chain(state.locals).collect()
            }
        };
        still(&stop)?;
        Ok(list)
    }

    /// The statics of the crate of the frame's function, if that is the user's.
    fn statics(self: &Arc<Self>) -> Option<Statics> {
        let (image, krate) = match &self.body {
            Body::Physical(frame) => {
                let code = frame.code.as_ref()?;
                (code.image.clone(), code.function.krate.clone())
            }
            Body::Suspended(Suspended { environment, .. }) => {
                (environment.ty.image().clone(), environment.ty.coroutine_function()?.krate.clone())
            }
        };
        is_user_crate(&krate).then(|| Statics::new(Arc::clone(self), image, krate))
    }

    /// Why there are no variables, if that is not the source's doing.
    fn nameless(&self, list: &[FrameVariable]) -> Option<String> {
        match &self.body {
            Body::Physical(frame) => no_variables(&self.stop(), frame, list),
            Body::Suspended(_) => None,
        }
    }

    /// On whose stack it is, if on one.
    pub(crate) fn thread(&self) -> Option<i32> {
        match &self.body {
            Body::Physical(frame) => Some(frame.tid),
            Body::Suspended(_) => None,
        }
    }

    /// The path of the frame's function; empty when it is not known.
    fn path(&self) -> String {
        match &self.body {
            Body::Physical(frame) => frame.code.as_ref().map(|code| code.function.path.clone()).unwrap_or_default(),
            Body::Suspended(Suspended { environment, .. }) => {
                environment.ty.coroutine_function().map(|function| function.path.clone()).unwrap_or_default()
            }
        }
    }
}

impl FrameBody for Variabled {
    fn call(&self) -> Option<Call> {
        match &self.0.body {
            Body::Physical(frame) => Some(Call { thread: i64::from(frame.tid), frame_address: frame.cfa?.raw() }),
            Body::Suspended(_) => None,
        }
    }

    fn watch(&self, expression: &str) -> Answer<Watchable> {
        let stop = self.0.stop();
        let frame = match &self.0.body {
            Body::Physical(frame) => Some(&**frame),
            Body::Suspended(_) => None,
        };
        let found = self.0.within(|within| data_target(&stop, frame, within, expression))?;
        still(&stop)?;
        Ok(match found {
            Ok(target) => watchable(target),
            Err(error) => Watchable::No(error.to_string()),
        })
    }

    fn scopes(&self) -> Answer<Vec<Scope>> {
        let all = self.0.variables()?;
        let nameless = self.0.nameless(&all);
        let (arguments, locals): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|variable| variable.role == Role::Argument);
        let scope = |list| ScopeVariables { home: Arc::clone(&self.0), list };
        let mut scopes = Vec::new();
        if !arguments.is_empty() {
            scopes.push(Scope { kind: ScopeKind::Arguments, variables: Arc::new(scope(arguments)) });
        }
        let locals: Arc<dyn Container> = match nameless {
            Some(why) => Arc::new(NoVariables(why)),
            None => Arc::new(scope(locals)),
        };
        scopes.push(Scope { kind: ScopeKind::Locals, variables: locals });
        if let Some(statics) = self.0.statics() {
            scopes.push(Scope { kind: ScopeKind::Statics, variables: Arc::new(statics) });
        }
        if let Body::Physical(frame) = &self.0.body {
            let mut known: Vec<_> = frame.registers.known().collect();
            known.push(("fs_base", frame.registers.fs_base));
            scopes.push(Scope { kind: ScopeKind::Registers, variables: Arc::new(RegisterList(known)) });
        }
        Ok(scopes)
    }

    fn evaluate(&self, expression: &str, _context: Option<&EvaluateContext>) -> Answer<Value> {
        let place = self.0.evaluated(&self.0.stop(), expression)?;
        Ok(value(&self.0, place, Some(expression.to_owned())))
    }

    fn complete(&self, text: &str) -> Answer<Completions> {
        let stop = self.0.stop();
        let (begin, names) = self.0.within(|within| completions(&stop, within, text))?;
        still(&stop)?;
        let kind = |offered| match offered {
            Offered::Variable => CompletionItemType::Variable,
            Offered::Field => CompletionItemType::Field,
            Offered::Method => CompletionItemType::Method,
        };
        Ok(Completions { begin, names: names.into_iter().map(|(name, offered)| (name, Some(kind(offered)))).collect() })
    }

    fn assign(&self, target: &str, value: &str) -> Answer<Value> {
        let place = self.0.evaluated(&self.0.stop(), target)?;
        self.0.set(place, value, Some(target.to_owned()))
    }
}
