//! A frame's scopes: the variables of a function at work, or those that a suspended coroutine keeps.

use std::sync::Arc;

use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_runtimes::{Body, Runtimes, Suspended};
use weft_session::debuggee::{Answer, Call, Container, FrameBody, Scope, ScopeKind, Value, Watchable};
use weft_symbols::Role;
use weft_values::{FrameVariable, Stop, Within, data_target, evaluate, is_user_crate, no_variables, variables};

use crate::breakpoints::watchable;
use crate::statics::Statics;
use crate::variables::{NoVariables, RegisterList, ScopeVariables, still, value};

/// A frame that has variables.
pub(crate) struct Variabled {
    pub(crate) runtimes: Arc<Runtimes>,
    pub(crate) stop: Arc<Stop>,
    pub(crate) body: Body,
}

/// A frame body for the session.
pub(crate) fn body(runtimes: &Arc<Runtimes>, stop: &Arc<Stop>, body: Body) -> Arc<dyn FrameBody> {
    Arc::new(Variabled { runtimes: runtimes.clone(), stop: stop.clone(), body })
}

impl Variabled {
    fn variables(&self) -> Answer<Vec<FrameVariable>> {
        let list = match &self.body {
            Body::Physical(frame) => variables(&self.stop, frame),
            Body::Suspended(coroutine) => {
                let state = self.runtimes.suspended(&self.stop, coroutine);
                let state = state.map_err(|error| Error::new(ErrorId::Unreadable, error))?;
                state.upvars.into_iter().chain(state.locals).collect()
            }
        };
        still(&self.stop)?;
        Ok(list)
    }
}

impl Variabled {
    /// The statics of the crate of the frame's function, if that is the user's.
    fn statics(&self) -> Option<Statics> {
        let (image, krate) = match &self.body {
            Body::Physical(frame) => {
                let code = frame.code.as_ref()?;
                (code.image.clone(), code.function.krate.clone())
            }
            Body::Suspended(Suspended { environment, .. }) => {
                (environment.ty.image().clone(), environment.ty.coroutine_function()?.krate.clone())
            }
        };
        is_user_crate(&krate).then(|| Statics::new(self.stop.clone(), image, krate))
    }

    /// Why there are no variables, if that is not the source's doing.
    fn nameless(&self, list: &[FrameVariable]) -> Option<String> {
        match &self.body {
            Body::Physical(frame) => no_variables(&self.stop, frame, list),
            Body::Suspended(_) => None,
        }
    }

    /// On whose stack it is, if on one.
    fn thread(&self) -> Option<i32> {
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
        match &self.body {
            Body::Physical(frame) => Some(Call { thread: i64::from(frame.tid), frame_address: frame.cfa?.raw() }),
            Body::Suspended(_) => None,
        }
    }

    fn watch(&self, expression: &str) -> Answer<Watchable> {
        let list = self.variables()?;
        let (path, nameless) = (self.path(), self.nameless(&list));
        let within = Within { variables: &list, path: &path, nameless: nameless.as_deref() };
        let frame = match &self.body {
            Body::Physical(frame) => Some(&**frame),
            Body::Suspended(_) => None,
        };
        let found = data_target(&self.stop, frame, &within, expression);
        still(&self.stop)?;
        Ok(match found {
            Ok(target) => watchable(target),
            Err(error) => Watchable::No(error.to_string()),
        })
    }

    fn scopes(&self) -> Answer<Vec<Scope>> {
        let all = self.variables()?;
        let nameless = self.nameless(&all);
        let (arguments, locals): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|variable| variable.role == Role::Argument);
        let scope = |list| ScopeVariables { stop: self.stop.clone(), list, thread: self.thread() };
        let mut scopes = Vec::new();
        if !arguments.is_empty() {
            scopes.push(Scope { kind: ScopeKind::Arguments, variables: Arc::new(scope(arguments)) });
        }
        let locals: Arc<dyn Container> = match nameless {
            Some(why) => Arc::new(NoVariables(why)),
            None => Arc::new(scope(locals)),
        };
        scopes.push(Scope { kind: ScopeKind::Locals, variables: locals });
        if let Some(statics) = self.statics() {
            scopes.push(Scope { kind: ScopeKind::Statics, variables: Arc::new(statics) });
        }
        if let Body::Physical(frame) = &self.body {
            let mut known: Vec<_> = frame.registers.known().collect();
            known.push(("fs_base", frame.registers.fs_base));
            scopes.push(Scope { kind: ScopeKind::Registers, variables: Arc::new(RegisterList(known)) });
        }
        Ok(scopes)
    }

    fn evaluate(&self, expression: &str, _context: Option<&EvaluateContext>) -> Answer<Value> {
        let list = self.variables()?;
        let (path, nameless) = (self.path(), self.nameless(&list));
        let within = Within { variables: &list, path: &path, nameless: nameless.as_deref() };
        let place = evaluate(&self.stop, &within, expression);
        still(&self.stop)?;
        let place = place.map_err(|error| Error::new(ErrorId::Evaluate, error))?;
        Ok(value(&self.stop, place, Some(expression.to_owned()), self.thread()))
    }
}
