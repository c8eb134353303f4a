"""The calls of the protocol in; an app that makes them all the time, and what it was told, out."""

import time
from collections import Counter
from threading import Event, Thread
from uuid import uuid4

from flask import Response

from tests.support.example_api import Api, claims, header, message
from tests.support.http_helpers import headers


class Client(Thread):
    """Sends messages until the ``with`` block ends, but no longer than a minute.

    It gets new tokens, both of them, half a life before the AppJWT expires, and on a 401.
    """

    def __init__(self, api: Api) -> None:
        super().__init__(daemon=True)
        self.api = api
        self.consumer = str(uuid4())
        self.answers: list[Response] = []  #: to all that it asked for by itself
        self.kids: list[str] = []  #: of the AppJWTs that it got, in their order
        self._done = Event()
        self.renew()
        self._message = message(api.opened(self.tokens))

    def __enter__(self) -> "Client":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        """Send a message every 20 ms or so."""
        end = time.monotonic() + 60
        while not self._done.wait(0.02) and time.monotonic() < end:
            if time.time() > self._renew_at or self._noted(self.send()).status_code == 401:
                self.renew()

    def send(self, **other_tokens: str) -> Response:
        """Send a message, with *other_tokens* in place of its own."""
        return self.api.send({**self.tokens, **other_tokens}, self._message)

    def renew(self) -> None:
        """Get both tokens."""
        grant = {"grant_type": "client_credentials", **self.api.credentials}
        app_jwt = self._noted(self.api.token({}, grant)).json["access_token"]
        answer = self._noted(self.api.consumer({"ext_consumer_id": self.consumer}, app_jwt))
        self.tokens = headers(app_jwt, answer.json["token"])
        self.kids.append(header(app_jwt)["kid"])
        said = claims(app_jwt)
        self._renew_at = (said["iat"] + said["exp"]) / 2

    def statuses(self) -> Counter[int]:
        """Return how often it was answered with each status."""
        return Counter(answer.status_code for answer in self.answers)

    def _noted(self, answer: Response) -> Response:
        self.answers.append(answer)
        return answer
