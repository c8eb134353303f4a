"""What the package runs on in; what advisories are open in it, or why that is not known, out.

Run as ``python -m tests.dependencies.audit FILE``: it writes the verdict to FILE too, and ends with
status 1 if an advisory is open. An index that has no advisories, or no network at all, is neither
red nor green: then the verdict says that it is by our own list alone.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.dependencies.advisories import READ, open_in, runs_on


def verdict(report: str, complaint: str, versions: Mapping[str, str]) -> tuple[int, str]:
    """Return the exit status, and what to say.

    :param report: what pip-audit wrote about *versions*, as JSON; anything else if it has failed.
    :param complaint: what it wrote beside that.
    """
    by_list = f"the list of {READ}"
    why, found = judged(report, complaint, versions)
    found += [f"{line}, by {by_list}" for line in open_in(versions)]
    source = by_list if why else f"PyPI and {by_list}"
    lines = [*found, f"{len(found)} open in {len(versions)} packages, by {source}"]
    if why:
        lines.insert(0, f"not audited, no advisory database in reach: {why}")
    return bool(found), "\n".join(lines)


def judged(report: str, complaint: str, versions: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return why pip-audit could not ask about all of *versions*, and a line for each finding."""
    try:
        entries = json.loads(report)["dependencies"]
    except ValueError:
        return complaint.strip().rpartition("\n")[2] or "pip-audit said nothing", []
    # It calls a package that it cannot find skipped, and ends with status 0.
    skipped = [entry["skip_reason"] for entry in entries if "skip_reason" in entry]
    missing = versions.keys() - {entry["name"] for entry in entries}
    why = "".join([*skipped, *(f"{name} was not asked for" for name in sorted(missing))][:1])
    return why, [
        f"{entry['name']} {entry['version']}: {each['id']}, "
        f"fixed in {', '.join(each['fix_versions']) or 'no version'}"
        for entry in entries
        for each in entry.get("vulns", ())
    ]


def ask(versions: Mapping[str, str]) -> tuple[str, str]:
    """Return what pip-audit, which asks PyPI's JSON API, writes to standard output and error."""
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder, "requirements.txt")
        pinned.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
        options = ["--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"]
        command = [sys.executable, "-m", "pip_audit", *options, "--requirement", str(pinned)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    return done.stdout, done.stderr


if __name__ == "__main__":
    needed = runs_on("flask-connector-auth", "redis")
    status, said = verdict(*ask(needed), needed)
    Path(sys.argv[1]).write_text(said + "\n")
    print(said)
    sys.exit(status)
