"""The project of the documentation, served by the commands of its page."""

import re
from pathlib import Path

import pytest

from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.live_workers import running
from tests.support.project import blocks, files_of, write_files

PAGE = "docs/project.rst"
HOOK = "gunicorn.conf.py"
CHECK, SERVE = re.findall(r"^\$ (.+)$", blocks(PAGE, "console")[-1], re.MULTILINE)


@pytest.mark.parametrize("is_ready", [True, False], ids=["with the hook", "without the hook"])
def test_a_project_is_served_with_its_keys_at_hand(
    is_ready: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: Issuer
) -> None:
    """By the commands of the page; its hook is why each worker is ready before a token comes."""
    monkeypatch.chdir(tmp_path)
    files = files_of(PAGE)
    assert ".warm(10)" in files[HOOK]
    if not is_ready:
        files = {**files, HOOK: files[HOOK].replace(".warm(10)", "")}
    write_files(files, tmp_path)
    command = ["sh", "-c", f"{CHECK} && exec {SERVE.replace(':8000', ':{port}')}"]
    with (
        KeySetServer(issuer) as server,
        running(server.url, tmp_path, command) as app,
    ):
        answers = {app.get(path="/internal/health")[0] for _ in range(20)}
        assert answers == ({200} if is_ready else {503})
        assert app.get(issuer.app_jwt(), "/api/account/le81823118/reports/day")[0] == 401
    log = (tmp_path / "server.log").read_text()
    assert "\nall is well\n" in log
    assert "refused: missing_scope row=40102 endpoint='reports.day'" in log
