"""The parts of the tour for the events, files and refusals of the Send API."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from .asking import Documented, Question
from .caller import Caller, request
from .documented import INVALID_CONSUMER_JWS, ok, refused
from .saying import say

BAD = Documented(400, refused("BAD_REQUEST", "3"))
PICTURE = b"GIF89a\1\0\1\0\0\0\0;"


def publish(caller: Caller, tokens: Mapping[str, str]) -> None:
    """Publish an event of each type; all have a sequence but the chat state."""
    events: list[tuple[str, dict[str, Any]]] = [
        ("Send a text; the first has the sequence 0.", {}),
        ("Rich content.", {"type": "RichContentEvent", "content": {"type": "vertical"}}),
        (
            "The consumer has read the first message.",
            {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]},
        ),
    ]
    for sequence, (title, event) in enumerate(events):
        documented = Documented(200, ok("3", {"sequence": sequence}))
        caller.send(title, tokens, caller.message(**event), documented)
    typing = caller.message(type="ChatStateEvent", chatState="COMPOSING")
    caller.send("The consumer is typing.", tokens, typing, Documented(200, ok("3", {})))


def exchange_a_file(caller: Caller, tokens: Mapping[str, str]) -> None:
    """Upload a file, send it in the conversation, and download it."""
    place = {
        "relativePath": str,
        "queryParams": {"temp_url_sig": str, "temp_url_expires": str},
    }
    documented = Documented(200, ok("3", place))

    def url_for(title: str, action: str, body: dict[str, Any]) -> tuple[str, str]:
        answer = caller.send(title, tokens, request(3, action, body), documented)["body"]
        path = answer["relativePath"]
        return path, f"{path}?{urlencode(answer['queryParams'])}"

    path, url = url_for(
        "Ask where a picture goes.",
        "ms.GenerateURLForUploadFile",
        {"fileSize": str(len(PICTURE)), "fileType": "GIF"},
    )
    ask = caller.asker.ask
    put = Documented(201, b"", "text/html; charset=utf-8")
    ask("Put it there: no token is needed.", Question(url, PICTURE, method="PUT"), put)
    wrong = Question(f"{url}0", PICTURE, method="PUT")
    ask("An altered URL is good for nothing.", wrong, Documented(401, refused("UNAUTHORIZED")))
    file = {"caption": "A dot", "relativePath": path, "fileType": "GIF", "preview": ""}
    event = {"type": "ContentEvent", "contentType": "hosted/file", "message": file}
    caller.send("Send it in the conversation.", tokens, caller.message(**event))
    _, url = url_for("Ask where it is.", "ms.GenerateURLForDownloadFile", {"relativePath": path})
    ask("Get it.", Question(url), Documented(200, PICTURE, "image/gif"))


def be_refused(caller: Caller, tokens: Mapping[str, str]) -> None:
    """Send requests that cannot be done; with good tokens, the answer has another shape."""
    say("\nWith good tokens, what the application refuses:")
    ask, path = caller.asker.ask, caller.conversations
    ask(
        "Another conversation while one is open. The profile is set all the same.",
        Question(f"{path}?v=3", caller.opening(), tokens),
        Documented(
            400,
            [
                ok("1", {"msg": "OK User Profile set successfully"}),
                refused("BAD_REQUEST", "2"),
            ],
        ),
    )
    long = {"type": "ContentEvent", "contentType": "text/plain", "message": "x" * 5000}
    caller.send("A request of over 5000 characters.", tokens, caller.message(**long), BAD)
    ask(
        "Another version than 3.",
        Question(f"{path}/send?v=2", caller.message(), tokens),
        Documented(404, refused("NOT_FOUND")),
    )
    ask(
        "A form where JSON is asked for.",
        Question(f"{path}/send?v=3", "message=Hello", tokens),
        Documented(415, refused("UNSUPPORTED_MEDIA_TYPE")),
    )
    another = Caller(caller.asker, caller.install)
    caller.send(
        "The conversation of another consumer.",
        another.get_tokens(),
        documented=Documented(401, INVALID_CONSUMER_JWS),
    )


def close(caller: Caller, tokens: Mapping[str, str]) -> None:
    """Close the conversation, and check that it takes no more messages."""
    field = {"field": "ConversationStateField", "conversationState": "CLOSE"}
    body = {"conversationId": caller.conversation, "conversationField": field}
    done = {"msg": "OK Conversation resolved successfully"}
    closing = request(3, "cm.UpdateConversationField", body)
    caller.send("Close the conversation.", tokens, closing, Documented(200, ok("3", done)))
    caller.send("It takes no message any more.", tokens, documented=BAD)
