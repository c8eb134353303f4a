"""The corpus, judged by a real app."""

import json
from pathlib import Path
from typing import Any

import pytest

from flask_connector_auth import require_app_jwt, require_consumer_jws, verify_request
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp

CORPUS = json.loads(Path(__file__).with_name("tokens.json").read_text())
KINDS = {"app_jwt": (require_app_jwt, 40102), "consumer_jws": (require_consumer_jws, 40103)}


@pytest.mark.parametrize(
    "kept", CORPUS["tokens"], ids=lambda kept: f"{kept['type']} {kept['name']}"
)
def test_a_token_that_was_signed_long_ago(kept: dict[str, Any], make_app: MakeApp) -> None:
    """Whatever versions are installed: it passes and says the same, or is refused by its row."""
    algorithms = [key["alg"] for key in CORPUS["keys"]["keys"]]
    app = make_app(
        clock=lambda: CORPUS["now"], APP_JWT_KEYS=CORPUS["keys"], APP_JWT_ALGORITHMS=algorithms
    )
    decorator, row = KINDS[kept["type"]]

    @app.get("/<account_id>")
    @decorator
    def view(account_id: str) -> dict[str, Any]:
        asked = {name: name == kept["type"] for name in KINDS}
        return dict(getattr(verify_request(**asked), kept["type"]).claims)

    sent = headers(**{kept["type"]: kept["token"]})
    answer = app.test_client().get(f"/{CORPUS['account']}", headers=sent)
    if kept["claims"] is None:
        assert_row(answer, row)
    else:
        assert answer.json == kept["claims"]
