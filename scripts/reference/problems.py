"""docs/reference/problems.md, from the table error → status."""

from __future__ import annotations

from dealerflow.web.problems import known_problems, type_of
from scripts.reference.markdown import page as markdown_page
from scripts.reference.markdown import table

INTRODUCTION = """Every error of the HTTP API is an RFC 9457 problem, `application/problem+json`:

```json
{
  "type": "/docs#invalid",
  "title": "Unprocessable Content",
  "status": 422,
  "detail": "The input is wrong; each fault is named in errors.",
  "instance": "/api/v1/orders",
  "errors": [
    {"pointer": "/customer/email", "detail": "must be an e-mail address, like name@example.com"},
    {"pointer": "/vehicle/options/1", "detail": "trailer-assist needs tow-bar"}
  ]
}
```

`errors` names every fault at once; `pointer` is a JSON pointer (RFC 6901) into what was sent. `type` is
`about:blank` for problems of HTTP itself (nothing at this address, unknown method, a fault of ours: 500, with
the id under which it was logged).

A conflict may have members of its own: `state` (where the order stands now), `blocked` (`[{order, reason}]`,
cars that keep a load from departing), `price` (the price now). A 503 and a 429 carry `Retry-After` in
seconds."""


def page() -> str:
    """The page."""
    rows = (
        (f"`{type_of(name)}`", str(status), " ".join(meaning.split()))
        for name, status, meaning in known_problems()
    )
    return markdown_page("Problems", INTRODUCTION, table(("`type`", "status", "means"), rows))
