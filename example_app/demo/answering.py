"""The part of the tour in which an agent answers, and a webhook gets the notifications."""

from typing import Any

from flask import Flask

from ..agents import agent_of
from ..delivery import Endpoint
from ..domain import SERVICES
from ..posting import Posting
from ..webhooks import EVENT_TYPES
from .asking import Documented, Question, value_of
from .caller import APP, Caller
from .documented import TOKEN, refused
from .receiver import Receiver, receiving, wrong_headers
from .saying import say
from .shapes import described, matches

PARTICIPANT = {"id": str, "role": str}


def answer(app: Flask, caller: Caller) -> None:
    """Log in as the agent of the account, answer, and check the notifications of it."""
    say("\nThe agent's side. It begins with a name and a password:")
    bearer = {APP: f"Bearer {_log_in(caller)}"}
    ask, account = caller.asker.ask, caller.account
    shown = {
        "client_id": caller.install.client_id,
        "client_secret": caller.install.client_secret,
        "client_name": str,
        "grant_types": ["client_credentials"],
        "scope": "msg.consumer",
        "enabled": True,
    }
    apps = f"{account}/configuration/app-install/installations"
    ask(
        "Which apps has the account?",
        Question(f"{apps}?v=1.0", headers=bearer),
        Documented(200, [shown]),
    )
    one = f"{apps}/{caller.install.client_id}?v=1.0"
    ask("One of them.", Question(one, headers=bearer), Documented(200, shown))
    desk = f"/agent{account}/conversations/{caller.conversation}"
    before = app.extensions["webhooks"]
    with receiving() as receiver:
        posting = Posting(dict.fromkeys(EVENT_TYPES, Endpoint(receiver.url)), pause=0)
        app.extensions["webhooks"] = posting
        try:
            ask(
                "The agent answers. That call is ours: agents have a WebSocket in the protocol.",
                Question(desk, {"message": "Grüß Gott"}, bearer),
                Documented(200, {"sequence": int}),
            )
            _compare_notifications(caller, receiver)
        finally:
            app.extensions["webhooks"] = before
            posting.close()


def _log_in(caller: Caller) -> str:
    agent = agent_of(caller.install.account_id)
    ask, path = caller.asker.ask, f"{caller.account}/login?v=1.3"
    name = agent.login_name if agent else ""
    ask(
        "A wrong password.",
        Question(path, {"username": name, "password": "wrong"}),
        Documented(401, refused("UNAUTHORIZED")),
    )
    entry = {"service": str, "account": caller.install.account_id, "baseURI": str}
    answer = ask(
        "The right one.",
        Question(path, {"username": name, "password": agent.password if agent else ""}),
        Documented(
            200,
            {
                "bearer": TOKEN,
                "sessionTTl": str(caller.life),
                "config": {"loginName": name, "userId": str, "isAdmin": True},
                "csdsCollectionResponse": {"baseURIs": [entry] * len(SERVICES)},
            },
        ),
    )
    return str(answer["bearer"])


def _compare_notifications(caller: Caller, receiver: Receiver) -> None:
    """Compare the two notifications of an agent's first answer."""
    conversation, account = caller.conversation, caller.install.account_id
    participants = [PARTICIPANT, {**PARTICIPANT, "role": "ASSIGNED_AGENT"}]
    dialog = {
        "dialogId": conversation,
        "participantsDetails": participants,
        "dialogType": "MAIN",
        "channelType": "MESSAGING",
        "state": "OPEN",
        "creationTs": int,
        "metaDataLastUpdateTs": int,
    }
    details = {
        "skillId": "-1",
        "participants": participants,
        "dialogs": [dialog],
        "brandId": account,
        "state": "OPEN",
        "stage": "OPEN",
        "startTs": int,
        "metaDataLastUpdateTs": int,
        "ttr": {"ttrType": "NORMAL", "value": 3600},
    }
    taken = {"convId": conversation, "effectiveTTR": -1, "conversationDetails": details}
    said = {
        "sequence": int,
        "originatorId": str,
        "originatorMetadata": {**PARTICIPANT, "role": "ASSIGNED_AGENT"},
        "serverTimestamp": int,
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "Grüß Gott"},
        "conversationId": conversation,
        "dialogId": conversation,
        "messageAudience": "ALL",
    }
    for title, kind, change in (
        (
            "The app is told, signed with its secret, who has taken the conversation.",
            "cqm.ExConversationChangeNotification",
            {"type": "UPSERT", "result": taken},
        ),
        ("And what was said in it.", "ms.MessagingEventNotification", said),
    ):
        _compare(
            caller,
            receiver,
            title,
            {"kind": "notification", "body": {"sentTs": int, "changes": [change]}, "type": kind},
        )


def _compare(caller: Caller, receiver: Receiver, title: str, shape: dict[str, Any]) -> None:
    caller.asker.announce(title, [])
    posted = receiver.next()
    if posted is None:
        caller.asker.judge("nothing", ["a notification is documented"])
        return
    found = wrong_headers(caller.install, posted)
    if not matches(value_of(posted), shape):
        found.append(f"the body is documented as {described(shape)}")
    caller.asker.judge(f"POST {posted.body.decode()}", found)
