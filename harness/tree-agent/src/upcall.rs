//! What the tree's code asks of the machine. The numbers are `UP_*` of the border; an architecture's own go on to its
//! module.

use lazy_mmu_arches::context::Note;
use lazy_mmu_arches::insn::Isa;
use lazy_mmu_border::numbers::{api, call, hook, note, upcall as up};
use lazy_mmu_core::kernel::{BugSite, WarnSite};
use lazy_mmu_engine::trace::{Call, Complaint, Hook, Site};

use crate::border::{self, Place};
use crate::tree::{self, Tree};
use crate::{arm64, batch, guard, powerpc64, sparc64, x86};

/// The machine's end of the border.
///
/// # Safety
/// The thunk of the border calls it, with the numbers that the header names, while an entry is in progress.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lazymmu_machine(what: u64, a: u64, b: u64, c: u64, d: u64) -> u64 {
    let Some(tree) = tree::active() else { guard::die("the tree's code called the machine before it was booted") };
    answer(tree, what, a, b, c, d)
}

fn answer(tree: &Tree, what: u64, a: u64, b: u64, c: u64, d: u64) -> u64 {
    match what {
        up::POINT => point(tree),
        up::HOOK => hook_called(tree, a, b != 0),
        up::NESTED_CALL | up::NESTED_RETURN => nested(tree, what == up::NESTED_CALL, a, b as u8),
        up::PREEMPT => {
            tree.settle_depth();
            if tree.told() == tree.open.get().depth {
                batch::look(tree);
            }
        }
        up::IRQ => {
            tree.settle_depth();
            if a != 0 { tree.env().local_irq_save() } else { tree.env().local_irq_restore() }
        }
        up::WARN => warn(tree, &border::place(a)),
        up::BUG => bug(tree, &border::place(a)),
        up::UNMODELLED => guard::die(&format!("the tree's code uses {}, which is not modelled", border::text(a))),
        up::INSN => {
            tree.settle();
            return match tree.form.isa {
                Isa::Aarch64 => arm64::insn(tree, a, b, c),
                Isa::X86_64 => x86::insn(tree, a, b, c),
                Isa::Powerpc64 => powerpc64::insn(tree, a, b, c, d),
                Isa::Sparc64 => sparc64::insn(tree, a, b, c, d),
            };
        }
        up::HYPERCALL => {
            tree.settle();
            return x86::hypercall(tree, a, b, c);
        }
        up::NOTE => noted(tree, a, b, c),
        up::FLAG => {
            tree.settle();
            arm64::flag(tree, b != 0);
        }
        _ => {}
    }
    0
}

/// Between the halves of a call: whatever may run runs, and the tree's code goes on where it is then.
pub fn point(tree: &Tree) {
    tree.settle();
    tree.change_open(|open| open.pointed = true);
    tree.env().schedule_point();
    tree.load();
    tree.sync();
}

fn hook_called(tree: &Tree, which: u64, active: bool) {
    let hook = match which {
        hook::ENTER => Hook::Enter,
        hook::FLUSH => Hook::Flush,
        _ => Hook::Leave,
    };
    tree.settle();
    tree.change_open(|open| open.hook = Some(hook));
    if tree.ignores_hooks() { tree.env().idle_hook(hook) } else { tree.env().hook(hook, active) }
}

fn nested(tree: &Tree, begins: bool, which: u64, task: u8) {
    let call = if which == call::TASK_PAUSE { Call::TaskPause(task) } else { Call::TaskResume(task) };
    tree.settle();
    if begins { tree.env().nested_call(call) } else { tree.env().nested_return(call) }
}

/// The generic layer's site that a WARN stands in.
fn warn_site(place: &Place) -> Option<WarnSite> {
    if !place.file.ends_with("include/linux/pgtable.h") {
        return None;
    }
    let sites = [
        ("lazy_mmu_mode_enable", WarnSite::Enable),
        ("lazy_mmu_mode_disable", WarnSite::Disable),
        ("lazy_mmu_mode_pause", WarnSite::Pause),
        ("lazy_mmu_mode_resume", WarnSite::Resume),
    ];
    sites.iter().find(|(name, _)| place.function.ends_with(name)).map(|&(_, site)| site)
}

/// The backend's site that a BUG stands in: by the function's name, or by the hook that it dies in.
fn bug_site(place: &Place, hook: Option<Hook>) -> Option<BugSite> {
    match place.function.as_str() {
        "enter_lazy" => Some(BugSite::EnterLazy),
        "leave_lazy" => Some(BugSite::LeaveLazy),
        "xen_mc_flush" => Some(BugSite::MulticallFlush),
        _ => match hook? {
            Hook::Enter => Some(BugSite::EnterLazy),
            Hook::Leave => Some(BugSite::LeaveLazy),
            Hook::Flush => None,
        },
    }
}

fn site(place: &Place) -> Site {
    Site::of(&place.file, place.line, &place.function, &place.condition)
}

fn warn(tree: &Tree, place: &Place) {
    tree.settle();
    match warn_site(place) {
        Some(known) => {
            tree.env().warn_once(known);
            tree.env().complain(Complaint::Place, site(place));
        }
        None => tree.env().complain(Complaint::Warn, site(place)),
    }
}

fn bug(tree: &Tree, place: &Place) {
    tree.settle();
    tree.change_open(|open| open.died = true);
    if let (Some(known), true) = (warn_site(place), tree.facts.api == api::V3) {
        tree.env().vm_bug(known);
    }
    match bug_site(place, tree.open.get().hook) {
        Some(known) => {
            tree.env().bug(known);
            tree.env().complain(Complaint::Place, site(place));
        }
        None => tree.env().complain(Complaint::Bug, site(place)),
    }
}

fn noted(tree: &Tree, what: u64, a: u64, b: u64) {
    match what {
        note::MC_FLUSH => tree.env().note(Note::McFlush(a as u8, b as u16)),
        note::MC_ISSUE if tree.open.get().updating => {
            tree.env().note(if a != 0 { Note::MmuIssued } else { Note::MmuQueued });
        }
        note::BATCH_FLUSH => batch::flushes(tree, a),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str, function: &str) -> Place {
        Place { file: file.into(), function: function.into(), condition: String::new(), line: 1 }
    }

    #[test]
    fn a_warn_of_the_generic_layer_is_told_from_any_other() {
        let rows = [
            ("include/linux/pgtable.h", "lazy_mmu_mode_enable", Some(WarnSite::Enable)),
            ("include/linux/pgtable.h", "lazy_mmu_mode_disable", Some(WarnSite::Disable)),
            ("include/linux/pgtable.h", "__task_lazy_mmu_mode_pause", Some(WarnSite::Pause)),
            ("include/linux/pgtable.h", "__task_lazy_mmu_mode_resume", Some(WarnSite::Resume)),
            ("include/linux/pgtable.h", "set_ptes", None),
            ("arch/x86/mm/tlb.c", "lazy_mmu_mode_enable", None),
        ];
        for (file, function, expected) in rows {
            assert_eq!(warn_site(&place(file, function)), expected, "{file} {function}");
        }
    }

    #[test]
    fn a_bug_is_known_by_its_function_or_by_the_hook_it_stands_in() {
        let file = "arch/x86/xen/enlighten_pv.c";
        assert_eq!(bug_site(&place(file, "enter_lazy"), None), Some(BugSite::EnterLazy));
        assert_eq!(bug_site(&place(file, "xen_mc_flush"), Some(Hook::Leave)), Some(BugSite::MulticallFlush));
        assert_eq!(bug_site(&place(file, "mode_on"), Some(Hook::Enter)), Some(BugSite::EnterLazy));
        assert_eq!(bug_site(&place(file, "mode_on"), None), None);
    }
}
