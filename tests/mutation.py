"""Mutation tests: changes to the modules below ``web`` that no test notices.

    python -m tests.mutation core/encoding verification

A name is that of a module or of a room; without one, all modules are changed. Ends with 1 if a
mutant survives that ``tests/mutants.rst`` does not explain. The work is done in a temporary folder,
which goes at the end.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
EXPLAINED = (ROOT / "tests" / "mutants.rst").read_text().replace("    ", "")
#: The tests of each room below ``web``: its own folder, and others that run its code. mutmut runs
#: those of them that reach a mutant.
TESTS = {
    "core": "unit/core unit/revocation unit/web unit/keys unit/verification",
    "keys": "unit/keys unit/config unit/verification/test_verifier_keys.py"
    " integration/test_key_sets_in_apps.py",
    "revocation": "unit/revocation unit/config integration/revocation/test_apps.py",
    "verification": "unit/verification",
    "config": "unit/config",
}
PACKAGE = ROOT / "flask_connector_auth"
#: The modules of each room, by their names under the package; ``__init__`` has nothing to change.
MODULES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix(): room
    for room in TESTS
    for path in sorted((PACKAGE / room).glob("[!_]*.py"))
}
#: Rooms whose classes are made while they are imported, which is before mutmut chooses a mutant:
#: what survives is tried again, each in an interpreter of its own.
AT_IMPORT = ("config",)
# Exit codes of mutmut: all tests passed; there is no test.
UNNOTICED = (0, 5, 33)
CONFIGURATION = r"""
[tool.mutmut]
source_paths = ["flask_connector_auth"]
only_mutate = ["flask_connector_auth/{module}.py"]
pytest_add_cli_args = ["-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = {tests}
process_isolation = "forkserver"
# The wording of an error or a log line is no rule.
do_not_mutate_patterns = ['raise \w+\(f?"', 'logger\.']
timeout_constant = 20.0
timeout_multiplier = 5.0
"""


class Result(NamedTuple):
    """What became of the mutants of one module."""

    killed: int
    survived: list[str]  #: the change that each of them is


def mutated(module: str, work: Path) -> Result:
    """Return what the tests of *module* do with its mutants, all made in the folder *work*."""
    for name in ("flask_connector_auth", "tests", "docs", "README.rst"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, work / name)
    room = MODULES[module]
    tests = [f"tests/{path}" for path in TESTS[room].split()]
    project = (ROOT / "pyproject.toml").read_text()
    configured = CONFIGURATION.format(module=module, tests=tests)
    (work / "pyproject.toml").write_text(project + configured)
    run("run", "--max-children", "2", work=work)
    found = work / "mutants" / "flask_connector_auth" / f"{module}.py.meta"
    codes = json.loads(found.read_text())["exit_code_by_key"] if found.exists() else {}
    survived = [name for name, code in codes.items() if code in UNNOTICED]
    if room in AT_IMPORT:
        survived = [name for name in survived if survives(name, tests, work / "mutants")]
    return Result(len(codes) - len(survived), [change(name, work) for name in survived])


def survives(name: str, tests: list[str], work: Path) -> bool:
    """Whether *tests* pass with that mutant in force from the start."""
    with_it = {**environment(), "MUTANT_UNDER_TEST": name}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return not subprocess.run(command, cwd=work, env=with_it, capture_output=True).returncode  # noqa: S603


def environment() -> dict[str, str]:
    """Return ours without a path to the code as it is here, which would hide the mutants."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def change(name: str, work: Path) -> str:
    """Return the lines that a mutant takes away and puts in their place."""
    lines = run("show", name, work=work).splitlines()
    return "\n".join(
        f"{line[0]} {line[1:].strip()}"
        for line in lines
        if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")
    )


def run(*arguments: str, work: Path) -> str:
    """Run mutmut in *work*, and return what it prints."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=work,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stdout)
    return done.stdout


def chosen(names: list[str]) -> list[str]:
    """Return the modules that *names* are, or are the rooms of; all of them without names."""
    unknown = {*names} - {*MODULES} - {*TESTS}
    if unknown:
        sys.exit(f"No module and no room: {', '.join(sorted(unknown))}")
    wanted = {*names} or {*TESTS}
    return [module for module, room in MODULES.items() if wanted & {module, room}]


def main(names: list[str]) -> int:
    """Print what became of the mutants of each module; return 1 if one is not explained."""
    total: Counter[str] = Counter()
    for module in chosen(names):
        with TemporaryDirectory() as work:
            result = mutated(module, Path(work))
        news = [each for each in result.survived if each not in EXPLAINED]
        numbers = {
            "mutants": result.killed + len(result.survived),
            "killed": result.killed,
            "explained": len(result.survived) - len(news),
            "survived": len(news),
        }
        total.update(numbers)
        print(f"{module:32}", *(f"{name} {number:4}" for name, number in numbers.items()))
        print(*news, sep="\n\n", end="\n" if news else "", flush=True)
    print(f"{'all':32}", *(f"{name} {number:4}" for name, number in total.items()))
    return min(1, total["survived"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
