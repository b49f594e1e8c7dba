//! What a breakpoint asks of those who come by, ready to be asked at every hit.
//!
//! Parsed once when a breakpoint is set, compiled once where it landed. A hit costs what its condition reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weft_memory::FileAddr;
use weft_symbols::{Image, Modules, SourceLine};
use weft_values::{Compiled, Message};

use crate::breakpoints::Owner;
use crate::hits::HitCondition;
use crate::{BreakpointKind, Terms};

/// The terms of one breakpoint, and how often it was hit.
#[derive(Debug)]
struct Rule {
    terms: Arc<Terms>,
    hits: Option<HitCondition>,
    log: Option<Message>,
    /// Hits whose condition was true, since it was set or its condition or hit condition changed. One engine thread
    /// counts; atomic only to be shared.
    count: Arc<AtomicU64>,
    /// Why it can never be hit.
    trouble: Option<String>,
}

impl Rule {
    fn new(terms: &Arc<Terms>, before: Option<&Self>) -> Self {
        let counts_on = |before: &&Self| Terms { log: terms.log.clone(), ..(*before.terms).clone() } == **terms;
        let count = before.filter(counts_on).map(|before| before.count.clone()).unwrap_or_default();
        let hits = terms.hits.as_deref().map(HitCondition::parse).transpose().map_err(|error| error.to_string());
        let log = terms.log.as_deref().map(Message::parse).transpose();
        let log = log.map_err(|error| format!("the log message cannot be used: {error}"));
        let trouble = hits.as_ref().err().or(log.as_ref().err()).cloned();
        Self { terms: terms.clone(), hits: hits.ok().flatten(), log: log.ok().flatten(), count, trouble }
    }
}

/// The rules of all breakpoints, and what became of them where they landed.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    by_id: BTreeMap<i64, Arc<Rule>>,
}

impl Rules {
    /// The judge for an owner of a trap; `known` are the judges of the same trap until now.
    pub(crate) fn judge(&mut self, owner: &Owner, modules: &Modules, known: &[Judge]) -> Judge {
        let rule = match self.by_id.get(&owner.id) {
            Some(rule) if Arc::ptr_eq(&rule.terms, &owner.terms) => rule.clone(),
            before => {
                let rule = Arc::new(Rule::new(&owner.terms, before.map(Arc::as_ref)));
                self.by_id.insert(owner.id, rule.clone());
                rule
            }
        };
        let same_code = |judge: &&Judge| match (&judge.code, &owner.code) {
            (Some((image, at)), Some((now, is))) => Arc::ptr_eq(image, now) && at == is,
            _ => false,
        };
        if let Some(judge) = known.iter().find(|judge| judge.id == owner.id && Arc::ptr_eq(&judge.rule, &rule))
            && same_code(&judge)
        {
            return judge.clone();
        }
        Judge::new(owner, rule, modules)
    }

    /// What is wrong with terms, wherever they are to hold.
    pub(crate) fn check(terms: &Terms) -> Option<String> {
        Rule::new(&Arc::new(terms.clone()), None).trouble
    }

    /// Forgets breakpoints that are no more.
    pub(crate) fn retain(&mut self, exists: impl Fn(i64) -> bool) {
        self.by_id.retain(|id, _| exists(*id));
    }
}

/// What one breakpoint asks of a hit at one address.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) id: i64,
    pub(crate) kind: BreakpointKind,
    rule: Arc<Rule>,
    condition: Option<Arc<Compiled>>,
    code: Option<(Arc<Image>, FileAddr)>,
    /// Why its terms mean nothing here.
    trouble: Option<String>,
}

/// What a hit comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It was not meant, or only told.
    GoOn,
    /// It stops.
    Stop,
    /// Nobody can say whether it stops, so it does.
    Unclear(String),
}

impl Judge {
    fn new(owner: &Owner, rule: Arc<Rule>, modules: &Modules) -> Self {
        let mut trouble = rule.trouble.clone();
        let mut condition = None;
        if let Some(text) = &rule.terms.condition {
            let compiled = match &owner.code {
                Some((image, pc)) => Compiled::condition(modules, image, *pc, text),
                // A hit of data may be anywhere in the code.
                None => Compiled::anywhere(text),
            };
            match compiled {
                Ok(compiled) => condition = Some(Arc::new(compiled)),
                Err(error) => trouble = Some(format!("the condition cannot be used: {error}")),
            }
        }
        if let (None, Some(log), Some((image, pc))) = (&trouble, &rule.log, &owner.code)
            && let Err(error) = log.check(modules, image, *pc)
        {
            trouble = Some(format!("the log message cannot be used: {error}"));
        }
        Self { id: owner.id, kind: owner.kind, rule, condition, code: owner.code.clone(), trouble }
    }

    /// Why its terms mean nothing here: the program is never stopped for it.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The condition; none: every hit counts.
    pub(crate) fn condition(&self) -> Option<&Compiled> {
        self.condition.as_deref()
    }

    /// Whether only the task that the user looks at hits it.
    pub(crate) fn is_in_focus(&self) -> bool {
        self.rule.terms.in_focus
    }

    /// What is told instead of stopping.
    pub(crate) fn log(&self) -> Option<&Message> {
        self.rule.log.as_ref()
    }

    /// Counts a hit whose condition was true; whether it is one that is meant.
    pub(crate) fn counts(&self) -> bool {
        let before = self.rule.count.fetch_add(1, Ordering::Relaxed);
        self.rule.hits.is_none_or(|hits| hits.stops(before.saturating_add(1)))
    }

    /// What it was made of.
    pub(crate) fn terms(&self) -> Arc<Terms> {
        self.rule.terms.clone()
    }

    /// The line it stands for.
    pub(crate) fn line(&self) -> Option<SourceLine> {
        let (image, pc) = self.code.as_ref()?;
        image.line_at(*pc).ok().flatten()
    }

    /// The user's condition, to be quoted.
    pub(crate) fn condition_text(&self) -> &str {
        self.rule.terms.condition.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(id: i64, terms: &Arc<Terms>) -> Owner {
        Owner { id, kind: BreakpointKind::Line, terms: terms.clone(), code: None }
    }

    fn hits(hits: &str) -> Arc<Terms> {
        Arc::new(Terms { hits: Some(hits.to_owned()), ..Terms::default() })
    }

    #[test]
    fn a_count_goes_on_until_condition_or_hit_condition_change() {
        let (modules, mut rules) = (Modules::default(), Rules::default());
        let first = hits("3");
        let judge = rules.judge(&owner(1, &first), &modules, &[]);
        assert!(!judge.counts());
        // Another place of the same breakpoint counts with it.
        let elsewhere = rules.judge(&owner(1, &first), &modules, &[]);
        assert!(!elsewhere.counts());
        // Only the message changes.
        let logged = Arc::new(Terms { log: Some("x".to_owned()), ..(*first).clone() });
        let judge = rules.judge(&owner(1, &logged), &modules, &[judge]);
        assert!(judge.counts());
        assert!(judge.log().is_some());
        let changed = rules.judge(&owner(1, &hits(">=3")), &modules, &[judge]);
        assert_eq!([changed.counts(), changed.counts(), changed.counts()], [false, false, true]);
        // Another breakpoint, and one that was away meanwhile, begin anew.
        rules.retain(|id| id != 1);
        let again = rules.judge(&owner(1, &first), &modules, &[]);
        assert_eq!([again.counts(), again.counts(), again.counts(), again.counts()], [false, false, true, false]);
    }

    #[test]
    fn terms_that_cannot_be_used_say_why() {
        let (modules, mut rules) = (Modules::default(), Rules::default());
        let mut trouble = |terms: Terms| {
            let judge = rules.judge(&owner(1, &Arc::new(terms)), &modules, &[]);
            judge.trouble().unwrap_or_default().to_owned()
        };
        assert!(trouble(Terms { hits: Some("often".to_owned()), ..Terms::default() }).contains("is no hit condition"));
        assert!(trouble(Terms { log: Some("{".to_owned()), ..Terms::default() }).contains("the log message cannot"));
        assert_eq!(trouble(Terms::default()), "");
    }
}
