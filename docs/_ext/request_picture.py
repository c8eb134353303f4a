"""The picture of the path of a request, as SVG, made from the order of the checks."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from flask_connector_auth import Reason
from flask_connector_auth.verification import CHECKS, Stage

FILE = Path(__file__).parents[1] / "_static" / "request.svg"
WIDTH, LEFT, TOP, STEP, BOX = 724, 70, 36, 58, 44
#: The words in the box of each stage; a stage that is not listed has its name there.
BOXES: dict[str, tuple[str, str]] = {
    "header": ("Header", "bare, or behind Bearer"),
    "cache": ("Cache", "verified before?"),
    "form": ("Form", "size, three segments"),
    "issuer": ("Issuer", "only where there are several"),
    "parameters": ("JOSE header", "strict JSON, alg, typ, kid"),
    "key": ("Key", "by kid and alg"),
    "signature": ("Signature", "over these very bytes"),
    "payload": ("Payload", "strict JSON"),
    "claims": ("Claims", "what must be present, and what not"),
    "times": ("Times", "exp, iat, nbf"),
    "value": ("Values", "AppJWT only: account, scopes"),
    "revocation": ("Revocation", "token, app install, account, consumer"),
    "account": ("Account", "of the URL, of AUDIENCE"),
    "scopes": ("Scopes", "AppJWT only"),
    "pair": ("Both tokens", "ConsumerJWS only"),
    "view": ("View", "the caller is known"),
}
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" role="img" aria-labelledby="request-title request-desc">
<title id="request-title">The path of a request</title>
<desc id="request-desc">From top to bottom: {names}. A token that is in the cache goes from there \
straight to revocation. Each step but the cache may end in 401, with the reasons beside it; key, \
signature and revocation may end in 503 as well.</desc>
<style>
 .back{{fill:#fff}} text{{fill:#1f2328;font:13px system-ui,'DejaVu Sans',sans-serif}}
 .name{{font-weight:600}} .small{{fill:#59636e;font-size:12px}}
 .mono{{font:12px ui-monospace,'DejaVu Sans Mono',monospace}}
 .box{{fill:#f6f8fa;stroke:#8c959f}} .good{{fill:#dafbe1;stroke:#1a7f37}}
 .bad{{fill:#ffebe9;stroke:#cf222e}} .ours{{fill:#fff8c5;stroke:#9a6700}}
 .way{{fill:none;stroke:#59636e;stroke-width:1.3}} .tip{{fill:#59636e}}
 @media (prefers-color-scheme:dark){{
  .back{{fill:#0d1117}} text{{fill:#e6edf3}} .small{{fill:#9198a1}}
  .box{{fill:#161b22;stroke:#6e7681}} .good{{fill:#12261e;stroke:#3fb950}}
  .bad{{fill:#25171c;stroke:#f85149}} .ours{{fill:#272115;stroke:#d29922}}
  .way{{stroke:#9198a1}} .tip{{fill:#9198a1}}
 }}
</style>
<defs><marker id="request-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" \
markerHeight="8" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>
<rect class="back" width="{width}" height="{height}"/>
<text x="70" y="24" class="small">for the AppJWT, then for the ConsumerJWS</text>
<text x="372" y="24" class="small">reason in the log</text>
<text x="660" y="24" class="small">answer</text>
{steps}
<path class="way" d="M70 {cache}H28V{revocation}H69" marker-end="url(#request-tip)"/>
<text class="small" transform="translate(20 {middle}) rotate(-90)" text-anchor="middle">yes: its \
times hold, its key is in force</text>
</svg>
"""


def steps() -> dict[str, list[Reason]]:
    """Return the boxes from top to bottom, each with its reasons."""
    found: dict[str, list[Reason]] = {}
    for check in CHECKS:
        if check.stage is Stage.FORM:
            found.setdefault("cache", [])
        reasons = found.setdefault(check.stage.value, [])
        reasons += [reason for reason in check.reasons if reason not in reasons]
    return {**found, "view": []}


def picture() -> str:
    """Return the SVG."""
    shown = steps()
    heights = {name: TOP + place * STEP for place, name in enumerate(shown)}
    cache, revocation = (heights[name] + BOX // 2 for name in ("cache", "revocation"))
    return _SVG.format(
        width=WIDTH,
        height=TOP + len(shown) * STEP + 2,
        names=", ".join(_words(name)[0] for name in shown),
        steps="\n".join(
            chain.from_iterable(_step(*each, heights[each[0]]) for each in shown.items())
        ),
        cache=cache,
        revocation=revocation,
        middle=(cache + revocation) // 2,
    )


def _words(name: str) -> tuple[str, str]:
    return BOXES.get(name, (name.capitalize(), ""))


def _step(name: str, reasons: list[Reason], top: int) -> Iterator[str]:
    title, words = _words(name)
    middle = top + BOX // 2
    yield f'<g id="step-{name}">'
    kind = "good" if name == "view" else "box"
    yield f'<rect class="{kind}" x="{LEFT}" y="{top}" width="250" height="{BOX}" rx="6"/>'
    yield f'<text x="82" y="{top + 19}" class="name">{title}</text>'
    yield f'<text x="82" y="{top + 35}" class="small">{words}</text>'
    if reasons:
        yield f'<path class="way" d="M320 {middle}H362" marker-end="url(#request-tip)"/>'
        yield from _lines(reasons, middle)
        yield from _answers(reasons, middle)
    yield "</g>"
    if name == "cache":
        yield f'<text x="205" y="{top + 55}" class="small">no</text>'
    if name != "view":
        bottom = top + BOX
        yield f'<path class="way" d="M195 {bottom}V{bottom + 13}" marker-end="url(#request-tip)"/>'


def _is_ours(reason: Reason) -> bool:
    return reason.value.endswith("_unavailable")


def _lines(reasons: list[Reason], middle: int) -> Iterator[str]:
    """Yield the reasons in up to three lines of equal height, each as wide as there is room."""
    lines: list[list[Reason]] = []
    for reason in reasons:
        fits = lines and _is_ours(reason) == _is_ours(lines[-1][-1])
        if fits and sum(len(word) + 2 for word in lines[-1]) + len(reason) <= 36:
            lines[-1].append(reason)
        else:
            lines.append([reason])
    height = 17 if len(lines) < 3 else 14
    for place, line in enumerate(lines):
        x, y = 372.0, middle + 4 + (2 * place - len(lines) + 1) * height / 2
        for reason in line:
            yield f'<text x="{x:g}" y="{y:g}" class="mono">{reason}</text>'
            x += 7.2 * (len(reason) + 2)


def _answers(reasons: list[Reason], middle: int) -> Iterator[str]:
    ours = any(map(_is_ours, reasons))
    boxes = [("bad", 401, -21 if ours else -10)] + ([("ours", 503, 0)] if ours else [])
    for kind, status, offset in boxes:
        y = middle + offset
        yield f'<rect class="{kind}" x="652" y="{y}" width="56" height="20" rx="6"/>'
        yield (f'<text x="680" y="{y + 14}" class="mono" text-anchor="middle">{status}</text>')
