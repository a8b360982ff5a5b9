"""The one table: which command each stage runs, at which depth, and what must be built for it."""

from dataclasses import dataclass

STAGES = ("setup", "build", "spec", "model", "relacy", "stress", "store")
TEST_PRESETS = ("release", "clang", "tsan", "asan", "relacy")

MODEL = ("release", "bellwether_model", "model/bellwether_model")
RELACY = ("relacy", "bellwether_relacy", "relacy_tests/bellwether_relacy")
STRESS = ("release", "bellwether_stress", "stress/bellwether_stress")
TSAN = ("tsan", "bellwether_stress", "stress/bellwether_stress")
ASAN = ("asan", "bellwether_stress", "stress/bellwether_stress")
PARITY = "model/parity.py"
TRACES = "stress/trace_runs.py"
MUTANTS = "relacy_tests/mutants/run_mutants.py"
OTHER_MODES = "parallel pipelined pipelined_parallel two_queues two_queues_parallel"
MODES = "serial " + OTHER_MODES
# A cross-section: of each mode and mechanism of the spec, and one fault for each property. ./verify test runs them all.
CONFIGURATIONS = ("Contract Serial2x1 Serial2x2 Serial3x1 Serial3x1WalError Illegal Parallel2x1 Parallel3x1 "
                  "Parallel2x1Errors Pipelined2x1 Pipelined3x1 Pipelined2x1Errors PipelinedParallel2x1 TwoQueues2x1 "
                  "TwoQueues3x1 TwoQueuesParallel2x1 StateWord SerialCrash2x1 PipelinedCrash2x1 Serial2x2Close "
                  "Serial2x2StallClose Pipelined1x2Stall")
FAULTS = ("group_over_cap sequence_gap publish_before_insert publish_by_operation publish_newest_first "
          "ack_before_fdatasync refusal_told_unknown notify_after_completion tail_not_cleared lost_handoff "
          "error_truncates_log leads_too_early notify_forgotten crash_takes_acknowledged recovery_cuts_too_much "
          "crash_told_ok reads_past_last_sequence stalled_no_slowdown")
PARITIES = ("Serial2x1 Serial2x2 Serial3x1 Parallel2x1 Parallel3x1 Pipelined2x1 Pipelined3x1 PipelinedParallel2x1 "
            "TwoQueues2x1 TwoQueuesParallel2x1 Serial2x2StallClose SerialCrash2x1")
SKIP = "skip"
RUN = f"run --mode {MODES} --directory build --seed {{seed}}"


def built_path(tool):
    return f"build/{tool[0]}/{tool[2]}"


@dataclass(frozen=True)
class Check:
    """One command. `tool` is a script, or (preset, target, path below the preset's build folder);
    `built` are such tools that a script runs in its turn. A depth without arguments of its own takes
    those of the default; SKIP leaves the check out there."""
    what: str
    unit: str  # what one row of its report is
    tool: object
    default: str
    quick: str = None
    nightly: str = None
    built: tuple = ()

    def args(self, depth):
        own = getattr(self, depth)
        return self.default if own is None else own

    def argv(self, seed, depth="default"):
        path = self.tool if isinstance(self.tool, str) else built_path(self.tool)
        tools = {"model": built_path(MODEL), "stress": built_path(STRESS)}
        return [path, *self.args(depth).format(seed=seed, **tools).split()]

    def needs(self):
        return self.built if isinstance(self.tool, str) else (self.tool, *self.built)


CHECKS = {
    "spec": (
        Check("TLC: safety, liveness, refinement", "configuration", "spec/tlc", f"mc {CONFIGURATIONS}",
              quick="mc Contract Serial2x1 Serial3x1 Illegal Parallel2x1 Pipelined2x1 "
                    "PipelinedParallel2x1 StateWord",
              nightly="mc --nightly"),
        Check("seeded faults", "TLC run", "spec/tlc", f"bugs {FAULTS}", quick=SKIP, nightly="bugs"),
        Check("random behaviours at larger bounds", "simulation", "spec/tlc", SKIP,
              nightly="sim --num 200 --seed {seed}"),
        Check("faults below their smallest bounds", "TLC run", "spec/tlc", SKIP, nightly="bugs --smallest"),
    ),
    "model": (
        Check("explorer", "exploration", MODEL, "explore --mode serial --writers 3 --writes 1"),
        Check("parity with TLC, states and edges", "configuration", PARITY, f"{PARITIES} --model {{model}}",
              quick="Serial2x1 Serial3x1 --model {model}", nightly="--nightly --model {model}",
              built=(MODEL,)),
    ),
    "relacy": (
        Check("interleavings and stale reads", "exploration", RELACY, "--set default --seed {seed}",
              quick="--set quick --seed {seed}", nightly="--set nightly --seed {seed}"),
        Check("mutants of the header", "mutant", MUTANTS, "", quick=SKIP, built=(RELACY,)),
    ),
    "stress": (
        Check("threads under TSan", "run", TSAN, f"{RUN} --seconds 1",
              quick=f"{RUN} --seconds 0.3 --threads 4", nightly=f"{RUN} --seconds 60"),
        Check("threads under ASan and UBSan", "run", ASAN, f"{RUN} --seconds 1",
              quick=f"{RUN} --seconds 0.3 --threads 4", nightly=f"{RUN} --seconds 60"),
        Check("recorded runs conform to the model", "run", TRACES,
              "--stress {stress} --model {model} --seed {seed} --runs 3",
              quick="--stress {stress} --model {model} --seed {seed} --runs 1",
              nightly="--stress {stress} --model {model} --seed {seed} --runs 100",
              built=(STRESS, MODEL)),
        Check("power failures", "run", STRESS, f"crash --mode {MODES} --seed {{seed}} --count 200",
              quick=f"crash --mode {MODES} --seed {{seed}} --count 40",
              nightly=f"crash --mode {MODES} --seed {{seed}} --count 5000"),
        Check("forgotten duties", "run", STRESS, "mutants --seed {seed}"),
        Check("kill -9", "run", STRESS,
              f"kill --mode {MODES} --directory build --seed {{seed}} --count 20",
              quick=f"kill --mode {MODES} --directory build --seed {{seed}} --count 3",
              nightly=f"kill --mode {MODES} --threads 2 8 64 --directory build --seed {{seed}} --count 200"),
    ),
    "store": (
        Check("kill and reopen, measured", "run", STRESS, "store --directory build --seed {seed}",
              quick="store --directory build --seed {seed} --batches 20000"),
        Check("kill and reopen, the other modes", "run", STRESS,
              f"store --mode {OTHER_MODES} --directory build --seed {{seed}} --batches 20000",
              quick=SKIP),
    ),
}


def unit_of(what):
    """What one row of this check's report is; of a check that is no longer in the plan, a row."""
    return next((check.unit for stage in CHECKS.values() for check in stage if check.what == what),
                "row")


def checks(stage, depth):
    return [check for check in CHECKS.get(stage, ()) if check.args(depth) != SKIP]


def with_prerequisites(stages, depth):
    """The chosen stages (none: all) and those they cannot run without, in order."""
    chosen = set(stages or STAGES) | {"setup"}
    if targets(chosen, depth):
        chosen.add("build")
    return [stage for stage in STAGES if stage in chosen]


def targets(stages, depth):
    """{preset: targets} that the checks of these stages run; of all stages for build alone."""
    running = [stage for stage in stages if stage in CHECKS]
    if "build" in stages and not running:
        running = CHECKS
    needed = {}
    for stage in running:
        for check in checks(stage, depth):
            for preset, target, _ in check.needs():
                wanted = needed.setdefault(preset, [])
                if target not in wanted:
                    wanted.append(target)
    return needed
