"""The one table: which command each stage runs, at which depth, and what must be built for it."""

from dataclasses import dataclass

STAGES = ("setup", "build", "spec", "model", "relacy", "stress", "store")
DEPTHS = ("quick", "default", "nightly")
TEST_PRESETS = ("release", "clang", "tsan", "asan", "relacy")

MODEL = ("release", "bellwether_model", "model/bellwether_model")
RELACY = ("relacy", "bellwether_relacy", "relacy_tests/bellwether_relacy")
STRESS = ("release", "bellwether_stress", "stress/bellwether_stress")
TSAN = ("tsan", "bellwether_stress", "stress/bellwether_stress")
ASAN = ("asan", "bellwether_stress", "stress/bellwether_stress")
PARITY = "model/parity.py"


def built_path(tool):
    return f"build/{tool[0]}/{tool[2]}"


@dataclass(frozen=True)
class Check:
    """One command. `tool` is a script, or (preset, target, path below the preset's build folder);
    `built` are such tools that a script runs in its turn."""
    what: str
    tool: object
    args: str
    depths: tuple = DEPTHS
    built: tuple = ()

    def needs(self):
        return self.built if isinstance(self.tool, str) else (self.tool, *self.built)

    def argv(self, seed):
        path = self.tool if isinstance(self.tool, str) else built_path(self.tool)
        return [path, *self.args.format(seed=seed, model=built_path(MODEL)).split()]


QUICK, DEFAULT, NIGHTLY = (("quick",), ("default",), ("nightly",))
LONGER = ("default", "nightly")

CHECKS = {
    "spec": (
        Check("TLC", "spec/tlc", "mc", ("quick", "default")),
        Check("TLC", "spec/tlc", "mc --nightly", NIGHTLY),
        Check("seeded faults", "spec/tlc", "bugs", LONGER),
    ),
    "model": (
        Check("explore", MODEL, "explore --mode serial --writers 3 --writes 1"),
        Check("parity", PARITY, "Serial2x1 Serial3x1 --model {model}", QUICK, (MODEL,)),
        Check("parity", PARITY, "--model {model}", DEFAULT, (MODEL,)),
        Check("parity", PARITY, "--nightly --model {model}", NIGHTLY, (MODEL,)),
    ),
    "relacy": (
        Check("scenarios", RELACY, "--set quick --seed {seed}", QUICK),
        Check("scenarios", RELACY, "--set push --seed {seed}", DEFAULT),
        Check("scenarios", RELACY, "--set nightly --seed {seed}", NIGHTLY),
    ),
    "stress": (
        Check("TSan", TSAN, "run --seed {seed} --seconds 1 --threads 4", QUICK),
        Check("TSan", TSAN, "run --seed {seed}", LONGER),
        Check("ASan", ASAN, "run --seed {seed} --seconds 1 --threads 4", QUICK),
        Check("ASan", ASAN, "run --seed {seed}", LONGER),
        Check("power failures", STRESS, "crash --seed {seed}", ("quick", "default")),
        Check("power failures", STRESS, "crash --seed {seed} --count 20000", NIGHTLY),
        Check("forgotten duties", STRESS, "mutants --seed {seed}"),
        Check("kill -9", STRESS, "kill --seed {seed} --count 10", QUICK),
        Check("kill -9", STRESS, "kill --seed {seed}", LONGER),
    ),
    "store": (
        Check("kill and reopen", STRESS, "store --seed {seed} --batches 20000", QUICK),
        Check("kill and reopen", STRESS, "store --seed {seed}", LONGER),
    ),
}


def checks(stage, depth):
    return [check for check in CHECKS.get(stage, ()) if depth in check.depths]


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
