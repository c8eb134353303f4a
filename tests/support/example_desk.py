"""A client of the agent's side of the example app, which logs in and answers conversations."""

from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response

from example_app.agents import agent_of
from tests.support.example_api import ACCOUNT, Api, api_of


def credentials(app: Flask, account: str = ACCOUNT) -> dict[str, str]:
    """Return name and password of the agent of an account."""
    with app.app_context():
        agent = agent_of(account)
        return {"username": agent.login_name, "password": agent.password}


def login(api: Api, body: Any) -> Response:
    """Log in."""
    return api.post(f"/api/account/{api.account}/login?v=1.3", body, {})


class Desk:
    """The calls of a logged-in agent."""

    def __init__(self, app: Flask, account: str = ACCOUNT) -> None:
        self.api = api_of(app, account)
        session = login(self.api, credentials(app, account)).json
        self.bearer = {"Authorization": f"Bearer {session['bearer']}"}
        self.path = f"/agent/api/account/{account}/conversations"

    def open_conversations(self) -> dict[str, Any]:
        """Return the conversations that are open, by id."""
        answer = self.api.transport("GET", self.path, self.bearer, b"")
        assert answer.status_code == 200
        return {each["conversationId"]: each for each in answer.json}

    def say(self, conversation: str, body: Any) -> Response:
        """Answer in a conversation."""
        return self.api.post(f"{self.path}/{conversation}", body, self.bearer)

    def new_file(self, conversation: str, body: Any) -> Response:
        """Ask for the place of a new file."""
        return self.api.post(f"{self.path}/{conversation}/files", body, self.bearer)

    def file(self, conversation: str, path: str) -> Response:
        """Ask where a file is."""
        query = urlencode({"relativePath": path})
        url = f"{self.path}/{conversation}/files?{query}"
        return self.api.transport("GET", url, self.bearer, b"")

    def close(self, conversation: str) -> Response:
        """Close a conversation."""
        return self.api.post(f"{self.path}/{conversation}/close", {}, self.bearer)
