//! What each architecture does with an update and with a hook: its deferral automaton.
//!
//! aarch64 has one flag per task, powerpc64 hash and sparc64 one batch per CPU, Xen one multicall buffer per CPU. Each
//! automaton is what `docs/specification.md` (tables 10.7 and 10.8) says of the write path, reduced to what a recording
//! shows.
//!
//! Not here: counters, and whose turn it is ([`super::check`]). A task-context line has passed the check that its task
//! owes no other line before it comes here.

use super::cpu::Cpu;
use super::expect::{Hook, Owed, Refusal, refuse, wrong_activity};
use super::header::Arch;
use super::line::{Event, Field, Line};
use super::summary::Summary;
use super::task::Task;

/// The batch of powerpc64 (`PPC64_TLB_BATCH_NR`) and sparc64 (`TLB_BATCH_NR`).
pub const BATCH: u32 = 192;
/// Xen: calls in a multicall buffer (`MC_BATCH`).
const MC_ENTRIES: u32 = 32;
/// Xen: bytes of arguments that never fit in a multicall buffer (`MC_ARGS`): one less is the most it holds.
const MC_ARGS: u32 = 512;
/// Xen: the arguments of one page-table update (`struct mmu_update`).
const UPDATE: u32 = 16;

/// How often a recorder must have done a thing, without an exception, before it is taken to do it always.
const HABIT: u32 = 64;

/// Something that some recorders always do and no rule demands, learnt from the recording itself.
///
/// Xen's buffer holds calls that are not recorded, so a line too few or too many there often breaks no rule. It does
/// break what the recording has shown before, and is shown as unusual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habit {
    kept: u32,
    broken: bool,
}

impl Habit {
    /// Notes one more occasion; false if it breaks a habit that was established.
    pub fn keeps(&mut self, kept: bool) -> bool {
        if kept {
            self.kept = self.kept.saturating_add(1);
            return true;
        }
        let established = !self.broken && self.kept >= HABIT;
        self.broken = true;
        !established
    }
}

/// The habits of a recorder of Xen PV.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// `mmu_issued` in task context is followed by the `mc_flush` that issues it.
    pub issue_then_flush: Habit,
    /// A flush of one entry that holds updates holds exactly the recorded ones.
    pub flush_is_exact: Habit,
}

/// A line and what it is about: its number, its task, its CPU.
pub struct Scene<'a> {
    /// The line.
    pub line: &'a Line,
    /// Its number in the file.
    pub at: u64,
    /// The task's index.
    pub i: usize,
    /// The task.
    pub task: &'a mut Task,
    /// The CPU.
    pub cpu: &'a mut Cpu,
    /// What is counted.
    pub summary: &'a mut Summary,
    /// What has been learnt of the recorder.
    pub habits: &'a mut Habits,
}

impl Scene<'_> {
    /// Whether the mode is active for the code that recorded the line: never in an interrupt.
    #[inline]
    fn is_active(&self) -> bool {
        !self.line.irq && self.task.is_active()
    }

    #[inline]
    fn owe(&mut self, owed: Owed) {
        self.task.owed = owed;
        self.task.owed_at = self.at;
    }

    /// Refuses the line unless the mode is (or is not) active for it; `instead` is what a kernel records otherwise.
    #[inline]
    fn require_active(&self, active: bool, instead: &str) -> Result<(), Refusal> {
        if self.is_active() == active { Ok(()) } else { wrong_activity(self.line, self.task, instead) }
    }

    /// An update was left for later.
    #[inline]
    fn deferred(&mut self) {
        self.summary.deferred += 1;
        if self.task.own.open > 0 {
            self.summary.cost.changes += 1;
            self.summary.verdicts.update(self.line, self.at, self.task, true);
        }
    }

    /// An update was made at once.
    #[inline]
    fn at_once(&mut self) {
        self.summary.immediate += 1;
        if self.task.own.open > 0 && !self.line.irq {
            self.summary.cost.changes += 1;
            self.summary.cost.operations += 1;
            self.summary.verdicts.update(self.line, self.at, self.task, false);
        }
    }

    /// Updates that had been left for later were made, by one operation.
    #[inline]
    fn completes(&mut self) {
        self.summary.completions += 1;
        self.summary.cost.operations += 1;
    }

    /// An interrupt over the task has one more line of `event` to record.
    fn irq_owes(&mut self, event: Event) {
        self.cpu.owe(event, self.i, self.at);
        self.task.held_by_irq = Some(self.line.cpu);
    }

    /// Whether an interrupt owed the line; it has now paid.
    fn irq_pays(&mut self) -> bool {
        let (paid, settled) = self.cpu.pay(self.line.event);
        if settled {
            self.task.held_by_irq = None;
        }
        paid
    }
}

/// What the architecture's hook leads to. The line that records the hook comes before the hook runs.
#[inline]
pub fn hook(arch: Option<Arch>, hook: Hook, scene: &mut Scene) {
    match arch {
        Some(Arch::Aarch64) => aarch64_hook(hook, scene),
        Some(arch) if arch.is_batched() => batch_hook(hook, scene),
        Some(Arch::XenPv) if hook != Hook::Enter => scene.owe(Owed::McFlush),
        None => {
            holds(hook, scene);
            if hook != Hook::Enter {
                scene.owe(Owed::McFlushIfXen);
            }
        }
        _ => {}
    }
}

/// Counts the enters that hold preemption off, if the architecture turns out to do that.
fn holds(hook: Hook, scene: &mut Scene) {
    match hook {
        Hook::Enter => scene.task.holds = scene.task.holds.saturating_add(1),
        Hook::Leave => scene.task.holds = scene.task.holds.saturating_sub(1),
        Hook::Flush => {}
    }
}

/// A line that records what became of an update.
#[inline]
pub fn event(arch: Arch, scene: &mut Scene) -> Result<(), Refusal> {
    match arch {
        Arch::Aarch64 => aarch64_event(scene),
        Arch::XenPv => xen_event(scene),
        _ => batch_event(arch, scene),
    }
}

/// `arch_flush_lazy_mmu_mode()` of arm64: test and clear the flag, barriers if it was set. Leave is the same.
fn aarch64_hook(hook: Hook, scene: &mut Scene) {
    if hook != Hook::Enter && std::mem::take(&mut scene.task.pending) {
        scene.owe(Owed::Barriers);
    }
}

/// `queue_pte_barriers()` and `emit_pte_barriers()` of arm64.
fn aarch64_event(scene: &mut Scene) -> Result<(), Refusal> {
    match scene.line.event {
        Event::QueueDeferred => {
            scene.require_active(true, "queue_emitted")?;
            scene.task.pending = true;
            scene.task.vague = false;
            scene.deferred();
        }
        Event::QueueEmitted => {
            scene.require_active(false, "queue_deferred")?;
            scene.at_once();
            if scene.line.irq {
                scene.irq_owes(Event::Barriers);
            } else {
                scene.owe(Owed::Barriers);
            }
        }
        _ if scene.line.irq => {
            if !scene.irq_pays() {
                direct_barriers(scene)?;
            }
        }
        _ if scene.task.owed == Owed::Barriers => {
            scene.task.owed = Owed::Nothing;
            if scene.task.last != Some(Event::QueueEmitted) {
                scene.completes();
            }
        }
        _ => direct_barriers(scene)?,
    }
    Ok(())
}

/// `ptep_try_set()` emits barriers of its own, lazy or not, and leaves the pending flag alone.
///
/// Its callers are callbacks of `apply_to_page_range()`, so it runs inside a section (which has no effect in an
/// interrupt). Right after a hook that found the flag clear no callback can have run yet: barriers there are those of
/// a hook that should have found it set.
fn direct_barriers(scene: &mut Scene) -> Result<(), Refusal> {
    let after_hook = matches!(scene.task.last, Some(Event::ArchFlush | Event::ArchLeave));
    // An interrupt that went on when the recording began may be in a section, or owe these barriers.
    let by_interrupt = scene.cpu.irq_sections > 0 || scene.cpu.unsure;
    let open = if scene.line.irq { by_interrupt } else { scene.is_active() && !after_hook };
    if open {
        scene.summary.direct_barriers += 1;
        return Ok(());
    }
    if scene.task.vague && after_hook && !scene.line.irq {
        // The recording began amid this section: something may have been pending already.
        scene.task.vague = false;
        scene.completes();
        return Ok(());
    }
    let who = scene.task.name();
    refuse(Field::Event, format!("no barriers: nothing of {who} is pending, and no `queue_emitted` came before"))
}

/// Enter and leave of powerpc64 hash and sparc64 hold preemption off; flush and leave empty this CPU's batch.
fn batch_hook(hook: Hook, scene: &mut Scene) {
    holds(hook, scene);
    if hook == Hook::Enter {
        scene.task.binding = scene.task.bound.is_none();
        if scene.task.holds == 1 && std::mem::take(&mut scene.cpu.unsure) {
            scene.cpu.level = 0; // Whoever left the mode here before has emptied it.
        }
        return;
    }
    if hook == Hook::Leave {
        scene.summary.verdicts.released(scene.line, scene.at, scene.task);
    }
    if scene.cpu.level > 0 {
        scene.owe(Owed::FlushPending(scene.cpu.level));
    } else {
        release(scene);
    }
}

/// Preemption is on again once the last hold is gone and the leave hook has nothing more to do.
fn release(scene: &mut Scene) {
    if scene.task.holds == 0 && scene.task.bound.take().is_some() {
        scene.cpu.owner = None;
    }
}

/// `hpte_need_flush()` of powerpc64 hash, `tlb_batch_add_one()` of sparc64, and the flush of a batch.
fn batch_event(arch: Arch, scene: &mut Scene) -> Result<(), Refusal> {
    match scene.line.event {
        Event::BatchAdd => batch_add(scene),
        Event::FlushPending => flush_pending(arch, scene),
        _ => {
            scene.require_active(false, "batch_add")?;
            if scene.line.nr[0] != 1 {
                return refuse(Field::First, "1: the one entry that is flushed at once".into());
            }
            if scene.line.irq {
                scene.irq_pays();
            }
            scene.at_once();
            Ok(())
        }
    }
}

fn batch_add(scene: &mut Scene) -> Result<(), Refusal> {
    scene.require_active(true, "flush_immediate")?;
    assume_level(scene, scene.line.nr[0].wrapping_sub(1), BATCH - 1);
    let (level, cpu) = (scene.cpu.level, scene.line.cpu);
    if scene.line.nr[0] != level + 1 {
        return refuse(Field::First, format!("{}: the batch of CPU {cpu} holds {level}", level + 1));
    }
    scene.cpu.level = level + 1;
    scene.deferred();
    scene.summary.verdicts.batched(scene.line, scene.at, scene.task);
    if scene.cpu.level == BATCH {
        scene.owe(Owed::FlushPending(BATCH));
    }
    Ok(())
}

/// The first line that says how full a batch is, whose filling the recording does not show.
fn assume_level(scene: &mut Scene, level: u32, most: u32) {
    if scene.cpu.unsure && level <= most {
        scene.cpu.unsure = false;
        if level > 0 && scene.cpu.level == 0 {
            scene.cpu.begun_at = Some(level);
        }
        scene.cpu.level = level;
    }
}

/// A flush takes the whole batch, whatever caused it: a hook, a full batch, another mm or page size, `tlb_flush()`.
fn flush_pending(arch: Arch, scene: &mut Scene) -> Result<(), Refusal> {
    assume_level(scene, scene.line.nr[0], BATCH);
    if scene.cpu.unsure {
        return refuse(Field::First, format!("at most {BATCH}: a batch holds no more"));
    }
    let (level, cpu) = (scene.cpu.level, scene.line.cpu);
    if level == 0 {
        return refuse(Field::Event, format!("no `flush_pending`: the batch of CPU {cpu} is empty"));
    }
    if scene.line.nr[0] != level {
        return refuse(Field::First, format!("{level}: the batch of CPU {cpu} holds {level}"));
    }
    if scene.line.irq {
        // sparc64 tests for another mm before it asks whether the mode is active; powerpc64 leaves the batch alone.
        if arch == Arch::Powerpc64Hash {
            return refuse(Field::Irq, "no `flush_pending` from an interrupt, which leaves the batch alone".into());
        }
        scene.irq_owes(Event::FlushImmediate);
    }
    scene.cpu.level = 0;
    scene.completes();
    if matches!(scene.task.owed, Owed::FlushPending(_)) {
        scene.task.owed = Owed::Nothing;
        release(scene);
    }
    Ok(())
}

/// The multicall buffer of Xen PV. Other calls than page-table updates share it and are not recorded, so what a flush
/// reports has a lower bound, the updates known to be queued, and an upper one, the buffer.
fn xen_event(scene: &mut Scene) -> Result<(), Refusal> {
    let just_queued = std::mem::take(&mut scene.cpu.just_queued);
    match scene.line.event {
        Event::MmuQueued => {
            scene.require_active(true, "mmu_immediate")?;
            scene.cpu.queued += 1;
            scene.cpu.just_queued = true;
            scene.deferred();
            if scene.cpu.queued * UPDATE > MC_ARGS {
                let most = MC_ARGS / UPDATE - 1;
                let text = format!("`mc_flush` first: the buffer of CPU {} holds {most} updates", scene.line.cpu);
                return refuse(Field::Event, text);
            }
        }
        Event::MmuIssued => {
            scene.require_active(false, "mmu_queued")?;
            scene.cpu.queued = 0;
            scene.at_once();
            scene.task.issued = !scene.line.irq;
        }
        Event::MmuImmediate => {
            scene.require_active(false, "mmu_queued")?;
            scene.at_once();
        }
        _ => mc_flush(scene, just_queued)?,
    }
    Ok(())
}

/// Checks what a flush of the multicall buffer says it issued, and empties the buffer.
fn mc_flush(scene: &mut Scene, just_queued: bool) -> Result<(), Refusal> {
    let [entries, bytes] = scene.line.nr;
    let queued = std::mem::take(&mut scene.cpu.queued);
    scene.summary.completions += 1;
    scene.summary.cost.operations += u64::from(queued > 0);
    buffer_holds(entries, bytes)?;
    if entries == 0 && queued > 0 {
        return refuse(
            Field::First,
            format!("at least 1 entry: CPU {} has queued {}", scene.line.cpu, updates(queued)),
        );
    }
    if bytes < queued * UPDATE {
        // A buffer too full for one more update is flushed first. A recorder that notes the update before it makes
        // room writes the two lines in the other order, and the update is still in the buffer.
        let full = bytes + UPDATE >= MC_ARGS || entries == MC_ENTRIES;
        if just_queued && full && bytes >= (queued - 1) * UPDATE {
            scene.cpu.queued = 1;
            return Ok(());
        }
        let least = queued * UPDATE;
        let text = format!("at least {least} bytes: CPU {} has queued {}", scene.line.cpu, updates(queued));
        return refuse(Field::Second, text);
    }
    if entries == 1 && queued > 0 && !scene.habits.flush_is_exact.keeps(bytes == queued * UPDATE) {
        let what = format!("{bytes} bytes in 1 entry that holds {} as recorded", updates(queued));
        scene.summary.unusual(scene.at, what);
    }
    Ok(())
}

fn updates(count: u32) -> String {
    if count == 1 { "1 update".to_owned() } else { format!("{count} updates") }
}

/// What the buffer can hold at all.
fn buffer_holds(entries: u32, bytes: u32) -> Result<(), Refusal> {
    if entries > MC_ENTRIES {
        return refuse(Field::First, format!("at most {MC_ENTRIES} entries"));
    }
    if bytes >= MC_ARGS {
        return refuse(Field::Second, format!("less than {MC_ARGS} bytes of arguments"));
    }
    if entries == 0 && bytes > 0 {
        return refuse(Field::Second, "0 bytes of arguments for 0 entries".into());
    }
    if !bytes.is_multiple_of(8) {
        return refuse(Field::Second, "a multiple of 8 bytes, as every call's arguments are".into());
    }
    Ok(())
}
