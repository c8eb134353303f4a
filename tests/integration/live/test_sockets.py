"""The recipe for Flask-SocketIO behind gunicorn, by its command on the page."""

import json
import re
from pathlib import Path

import pytest
from simple_websocket import Client

from flask_connector_auth.testing import Issuer
from tests.support.http_helpers import ROWS, headers
from tests.support.live_workers import running
from tests.support.project import blocks, files_of

PAGE = "docs/compatibility.rst"
#: Seconds; the server's own sign of life comes after 25, and would be read in place of an answer.
PATIENCE = 60
SIGN_OF_LIFE = "2"


def packets(port: int, *sent: str, **more: str) -> list[str]:
    """Return what the server sends on a socket: at first, and next after each packet that is sent.

    On a busy machine the server loses the first packet now and then, before any handler runs. So a
    socket without an answer is tried again, twice at most.

    :param more: headers of the handshake.
    """
    for _ in range(3):
        received = exchange(port, *sent, **more)
        if received[1] != SIGN_OF_LIFE:
            break
    return received


def exchange(port: int, *sent: str, **more: str) -> list[str]:
    """Do that once."""
    url = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
    socket = Client.connect(url, headers=more)
    try:
        received = [socket.receive(PATIENCE)]
        for packet in sent:
            socket.send(packet)
            received.append(socket.receive(PATIENCE))
        return received
    finally:
        socket.close()


def test_a_refused_client_gets_its_answer_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: Issuer, stranger: Issuer
) -> None:
    """The packet after its own is the refusal (``44``) with the row, and not the server's next sign
    of life (``2``), which is what comes where no answer does. Good tokens are heard."""
    monkeypatch.chdir(tmp_path)
    Path("chat.py").write_text(files_of(PAGE)["chat.py"])
    Path("keys.json").write_text(json.dumps(issuer.key_set()))
    [block] = blocks(PAGE, "shell")
    command = re.sub(r"\b8000\b", "{port}", " ".join(block.split()))
    with running("keys.json", tmp_path, ["sh", "-c", f"exec {command}"]) as app:
        good = headers(issuer.app_jwt(), issuer.consumer_jws())
        for sent, row in (
            ({}, 40105),
            (headers(stranger.app_jwt()), 40102),
            (headers(issuer.app_jwt()), 40104),
            (headers(issuer.app_jwt(), stranger.consumer_jws()), 40103),
        ):
            hello, answer = packets(app.port, "40", **sent)
            assert hello.startswith("0{")
            assert answer.startswith("44{")
            refusal = json.loads(answer.removeprefix("44"))
            assert refusal["message"].startswith(f"{row} ")
            assert refusal["data"] == json.loads(ROWS[row])
        _, connected, heard = packets(app.port, "40", '420["say","hello"]', **good)
        assert connected.startswith("40{")
        assert json.loads(heard.removeprefix("430")) == [{"of": "consumer-1", "text": "hello"}]
