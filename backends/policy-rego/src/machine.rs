//! One evaluation on regorus' virtual machine: a machine per thread, limits on time and instructions, and a net under
//! panics. Next: `answer.rs` for what comes back.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use regorus::Value;
use regorus::rvm::program::Program;
use regorus::rvm::vm::{RegoVM, VmError};
use regorus::utils::limits::ExecutionTimerConfig;

/// What the machine runs: one compiled policy with its data.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Never given twice in a process, so that a thread's machine knows whether it still holds this program. An address
    /// would not do: it can come back.
    pub(crate) generation: u64,
    pub(crate) program: Arc<Program>,
    pub(crate) data: Value,
}

/// Limits of one evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    time: ExecutionTimerConfig,
    instructions: usize,
}

const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);

impl Limits {
    /// One decision: 50 ms of wall time.
    pub(crate) const DECISION: Self = Self::new(50, 250_000);
    /// One query over a whole catalogue.
    pub(crate) const CATALOGUE: Self = Self::new(500, 20_000_000);
    /// Activation: nobody waits for it, and a busy machine must not make a good policy fail.
    pub(crate) const ACTIVATION: Self = Self::new(10_000, 250_000);

    const fn new(milliseconds: u64, instructions: usize) -> Self {
        let limit = Duration::from_millis(milliseconds);
        Self { time: ExecutionTimerConfig { limit, check_interval: CHECK_INTERVAL }, instructions }
    }

    /// The time limit, for the interpreter that runs the policy's tests.
    pub(crate) fn time(self) -> ExecutionTimerConfig {
        self.time
    }
}

/// Why an evaluation has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvaluationError {
    /// The machine refused: the limit of instructions, a builtin's error, a conflict between rules.
    #[error("{0}")]
    Machine(String),
    /// The time limit passed.
    #[error("{0}")]
    TooLong(String),
    /// A builtin panicked.
    #[error("the policy engine panicked")]
    Panicked,
}

thread_local! {
    static MACHINE: RefCell<Option<(u64, RegoVM)>> = const { RefCell::new(None) };
}

/// Evaluates an entry point of `compiled`. The time limit counts wall time, which also passes while a busy machine runs
/// something else, so what took too long gets one second chance; the limit of instructions does not.
pub(crate) fn evaluate(
    compiled: &Compiled,
    entry_point: &str,
    input: Value,
    limits: Limits,
) -> Result<Value, EvaluationError> {
    match evaluate_once(compiled, entry_point, input.clone(), limits) {
        Err(EvaluationError::TooLong(_)) => evaluate_once(compiled, entry_point, input, limits),
        result => result,
    }
}

/// A machine that failed is thrown away: its registers may hold half a call.
fn evaluate_once(
    compiled: &Compiled,
    entry_point: &str,
    input: Value,
    limits: Limits,
) -> Result<Value, EvaluationError> {
    MACHINE.with_borrow_mut(|slot| {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(slot, compiled, entry_point, input, limits)));
        let result = outcome.unwrap_or(Err(EvaluationError::Panicked));
        if result.is_err() {
            *slot = None;
        }
        result
    })
}

fn run(
    slot: &mut Option<(u64, RegoVM)>,
    compiled: &Compiled,
    entry_point: &str,
    input: Value,
    limits: Limits,
) -> Result<Value, EvaluationError> {
    let machine_error = |error: VmError| match error {
        VmError::TimeLimitExceeded { .. } => EvaluationError::TooLong(error.to_string()),
        _ => EvaluationError::Machine(error.to_string()),
    };
    let vm = match slot {
        Some((generation, vm)) if *generation == compiled.generation => vm,
        _ => {
            let mut vm = RegoVM::new();
            vm.load_program(Arc::clone(&compiled.program));
            vm.set_data(compiled.data.clone()).map_err(machine_error)?;
            &mut slot.insert((compiled.generation, vm)).1
        }
    };
    vm.set_execution_timer_config(Some(limits.time));
    vm.set_max_instructions(limits.instructions);
    vm.set_input(input);
    let result = vm.execute_entry_point_by_name(entry_point).map_err(machine_error);
    // Arguments do not stay in a thread's memory until its next call.
    vm.set_input(Value::Undefined);
    result
}
