"""Modules of floors 0 to 2 in; their mutants that no test of theirs notices, out.

    python -m tests.mutation strict verifier

Without names, all modules. Ends with 1 if a mutant survives that ``tests/mutants.rst`` does not
explain. The work is done in a folder of its own, which goes at the end.
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
_VERIFIER = "verifier verifier_claims verifier_form verifier_header verifier_keys verifier_times"
_KEYS = "keys_forms keys_refused keys_rules keys_static"
#: The tests of each module, by their names under ``tests`` without ``test_``. Modules that are not
#: here (keys/options, keys/snapshot, revocation/scripts, revocation/store) have
#: no function with anything to change.
TESTS = {
    "headers": "headers",
    "tokens": "tokens",
    "requirements": "requirements",
    "envelope": "envelope",
    "strict": "strict",
    "log_limit": "log_limit",
    "profiles": f"{_VERIFIER} refusals",
    "cache": "cache verifier_judge",
    "policy": "policy",
    "claims": "verifier_claims verifier_times verifier",
    "verifier": f"{_VERIFIER} verifier_judge cache",
    "settings": "settings settings_keys keys/settings revocation/settings",
    "config_fields": "settings",
    "schema": "settings",
    "jwks_schema": "settings settings_keys keys/settings",
    "revocation_schema": "settings revocation/settings",
    "signals": "keys/remote revocation/revocations",
    "forks": "keys/remote revocation/processes portability",
    "clock": "clock",
    "reasons": "reasons error_texts",
    "revocation/entries": "revocation/entries",
    "revocation/history": "revocation/history",
    "revocation/table": "revocation/mirror",
    "revocation/mirror": "revocation/mirror",
    "revocation/memory": "revocation/memory revocation/contract",
    "revocation/redis": "revocation/redis revocation/contract",
    "revocation/client": "revocation/client revocation/settings",
    "revocation/follower": "revocation/follower",
    "revocation/revocations": "revocation/revocations revocation/settings revocation/apps",
    "keys/parse": f"{_KEYS} keys/key_set",
    "keys/material": f"{_KEYS} settings_keys",
    "keys/key_set": "keys/key_set",
    "keys/index": f"{_KEYS} keys/key_set keys/several verifier_keys",
    "keys/static": f"{_KEYS} settings_keys",
    "keys/source": f"{_KEYS} verifier_keys keys/several",
    "keys/several": "keys/several",
    "keys/build": "settings_keys keys/settings keys/apps",
    "keys/urls": "keys/urls keys/settings",
    "keys/cache_control": "keys/cache_control",
    "keys/copy": "keys/copy",
    "keys/stores": "keys/copy",
    "keys/load": "keys/load",
    "keys/machine": "keys/machine",
    "keys/edwards": "keys_edwards",
    "keys/listing": "keys/listing",
    "keys/wiring": "keys/settings keys/apps",
    "keys/remote": "keys/remote",
    "keys/connection": "keys/fetch",
    "keys/fetch": "keys/fetch",
}
#: Made while they are imported, which is before mutmut chooses a mutant: what survives is tried
#: again, each in an interpreter of its own.
AT_IMPORT = ("schema", "jwks_schema")
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
    for name in ("flask_connector_auth", "tests", "README.rst"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, work / name)
    paths = map(Path, TESTS[module].split())
    tests = [str("tests" / path.with_name(f"test_{path.name}.py")) for path in paths]
    project = (ROOT / "pyproject.toml").read_text()
    chosen = CONFIGURATION.format(module=module, tests=tests)
    (work / "pyproject.toml").write_text(project + chosen)
    run("run", "--max-children", "2", work=work)
    found = work / "mutants" / "flask_connector_auth" / f"{module}.py.meta"
    codes = json.loads(found.read_text())["exit_code_by_key"] if found.exists() else {}
    survived = [name for name, code in codes.items() if code in UNNOTICED]
    if module in AT_IMPORT:
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


def main(modules: list[str]) -> int:
    """Print what became of the mutants of each module; return 1 if one is not explained."""
    total: Counter[str] = Counter()
    for module in modules or TESTS:
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
        print(f"{module:24}", *(f"{name} {number:4}" for name, number in numbers.items()))
        print(*news, sep="\n\n", end="\n" if news else "", flush=True)
    print(f"{'all':24}", *(f"{name} {number:4}" for name, number in total.items()))
    return min(1, total["survived"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
