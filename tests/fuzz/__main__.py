"""The name of a target in; what the fuzzer finds in it out.

    python -m tests.fuzz verifier -max_total_time=300
    python -m tests.fuzz verifier build/fuzz/verifier/crash-0123abcd

The second form runs one input again. Options are those of libFuzzer.
"""

import logging
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["flask_connector_auth"]):
    from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
# An input that takes longer, or much memory, is a finding too; seconds and megabytes.
LIMITS = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=4096"]


def arguments(name: str, given: list[str]) -> list[str]:
    """Return the command line of libFuzzer: what is *given*, and where inputs are read and kept."""
    if any(Path(one).is_file() for one in given):
        return [name, *LIMITS, *given]
    found = Path("build", "fuzz", name)
    # The first folder is where the fuzzer keeps what it finds: not the one in the repository.
    (found / "corpus").mkdir(parents=True, exist_ok=True)
    folders = [str(found / "corpus"), str(HERE / "corpus" / name)]
    words = HERE / "dictionaries" / f"{name}.dict"
    return [name, *LIMITS, f"-artifact_prefix={found}/", f"-dict={words}", *given, *folders]


if __name__ == "__main__":
    if sys.argv[1:2] not in [[name] for name in TARGETS]:
        sys.exit(f"usage: python -m tests.fuzz {'|'.join(TARGETS)} [libFuzzer option or file]")
    # What is logged of each input would take longer than the rest.
    logging.disable()
    target = TARGETS[sys.argv[1]]
    atheris.Setup(arguments(sys.argv[1], sys.argv[2:]), target)
    atheris.Fuzz()
