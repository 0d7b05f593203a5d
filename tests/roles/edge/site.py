# SPDX-License-Identifier: MIT
"""The sites that the tests of role `edge` serve."""

from __future__ import annotations

from typing import Any

from tests.roles.authority import Authority

Variables = dict[str, Any]
PORT = 20990
UPSTREAM = f"http://127.0.0.1:{PORT}"
NOBODY = "http://127.0.0.1:20991"
DOMAIN, APP, OTHER = "suite.example", "app.suite.example", "other.suite.example"
AWKWARD = {"text": 'it\'s "quoted" \\ and $dollar ${brace}', "lines": "a\nb", "accent": "é"}


def proxy(path: str, **more: Any) -> Variables:
    return {"path": path, "kind": "proxy", "upstream": UPSTREAM} | more


def routes() -> list[Variables]:
    return [
        proxy("/"),
        proxy("/raw/", raw_uri=True, body_size="20m", timeout=120),
        proxy("/ws/", websocket=True),
        proxy("/shared/", cors=True),
        proxy("/gone/", upstream=NOBODY),
        {"path": "/admin", "kind": "deny"},
        {"path": "/api/private", "kind": "deny"},
        proxy("^/(api|admin)/", match="regex"),
        proxy("/api/private/not", match="exact"),
        {"path": "^/api/[a-z]{6}$", "match": "regex", "kind": "deny"},
        {"path": "/old", "match": "exact", "kind": "redirect", "redirect": "https://suite.example/new?price=$5"},
    ]


def variables(ca: Authority) -> Variables:
    """Everything the role is given."""
    return {
        "suite_secrets": {"suite.ca_cert": ca.certificate, "suite.ca_key": ca.key},
        "edge_sites": [
            {
                "hostname": DOMAIN,
                "routes": [
                    {"path": "/", "kind": "portal"},
                    {"path": "/.well-known/a", "match": "exact", "kind": "respond", "respond": {"json": AWKWARD}},
                    {
                        "path": "/.well-known/b",
                        "match": "exact",
                        "kind": "respond",
                        "cors": True,
                        "respond": {"text": "gone", "status": 410, "headers": {"X-Why": "moved; see $here"}},
                    },
                ],
            },
            {"hostname": APP, "routes": routes()},
        ],
        "edge_portal": {
            "domain": DOMAIN,
            "title": "Suite <Région> & Co",
            "account_url": "https://id.suite.example/account",
            "applications": [
                {
                    "name": {"en": "Chat", "fr": "Tchap"},
                    "description": {"en": "Talk & listen", "fr": "<b>Messagerie</b>"},
                    "url": "https://chat.suite.example/?a=1&b=2",
                }
            ],
        },
    }
