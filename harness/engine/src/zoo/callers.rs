//! Defects of callers: what a subject is when the code around it leaves a call out, or makes it in another order.

use super::bent::Bend;
use super::{Form, Grade, History, Specimen, Status, bend};
use crate::contract::Invariant;
use crate::subject::{Env, Subject};
use crate::trace::Call;

pub(super) const FAMILY: &[Specimen] = &[Specimen {
    name: "zoo/call-vmalloc-error-return",
    program: "broken/i1-error-return",
    breaks: Invariant::I1,
    history: History {
        ids: "44562c71e2cf (6.16); fix fea18c686320 (stable)",
        status: Status::BrokeUsers,
        grade: Grade::C,
        lived: "stateless (6.16 to 6.19)",
    },
    about: "The end of a nested section is not reached, as on the error paths of vmap_pages_pte_range() before \
            fea18c686320: the task stays in its outer section for ever.",
    form: Form::Bent(|port| bend("nesting-v4/none", port, ErrorReturn)),
    fixed: "nesting-v4/none",
}];

struct ErrorReturn;

impl Bend for ErrorReturn {
    fn call(&self, to: &dyn Subject, env: &mut dyn Env, call: Call) {
        let nested = to.counters(env.current()).enable > 1;
        if call != Call::Disable || !nested {
            to.call(env, call);
        }
    }
}
