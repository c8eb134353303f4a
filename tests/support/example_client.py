"""A client of the example app that sends messages continuously and records the answers."""

import time
from collections import Counter
from threading import Event, Thread
from uuid import uuid4

from flask import Response

from tests.support.example_api import Api, claims, header, message
from tests.support.http_helpers import headers


class Client(Thread):
    """Sends messages until the ``with`` block ends, but no longer than a minute.

    It gets both tokens anew at half the lifetime of the AppJWT, and after a 401.
    """

    def __init__(self, api: Api) -> None:
        super().__init__(daemon=True)
        self.api = api
        self.consumer = str(uuid4())
        self.answers: list[Response] = []  #: answers to the requests of this thread
        self.kids: list[str] = []  #: kids of its AppJWTs, in their order
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
            if time.time() > self._renew_at or self._recorded(self.send()).status_code == 401:
                self.renew()

    def send(self, **other_tokens: str) -> Response:
        """Send a message with both tokens; *other_tokens* replace them."""
        return self.api.send({**self.tokens, **other_tokens}, self._message)

    def renew(self) -> None:
        """Get both tokens."""
        grant = {"grant_type": "client_credentials", **self.api.credentials}
        app_jwt = self._recorded(self.api.token({}, grant)).json["access_token"]
        answer = self._recorded(self.api.consumer({"ext_consumer_id": self.consumer}, app_jwt))
        self.tokens = headers(app_jwt, answer.json["token"])
        self.kids.append(header(app_jwt)["kid"])
        times = claims(app_jwt)
        self._renew_at = (times["iat"] + times["exp"]) / 2

    def statuses(self) -> Counter[int]:
        """Return the number of answers by status."""
        return Counter(answer.status_code for answer in self.answers)

    def _recorded(self, answer: Response) -> Response:
        self.answers.append(answer)
        return answer
