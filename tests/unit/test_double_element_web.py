# SPDX-License-Identifier: MIT
"""The double of Element Web serves what it was given, and starts with nothing else."""

from __future__ import annotations

import json
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.checkout import ROOT, module_at

FOLDER = ROOT / "tests" / "doubles" / "element-web"
GOOD: dict[str, Any] = {"default_server_config": {"m.homeserver": {"base_url": "https://matrix.suite.example"}}}


DOUBLE = module_at(FOLDER / "element_double.py")


def prepare(folder: Path, config: Any, **environment: str) -> int:
    for name in ("app", "conf.d"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "app" / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return int(DOUBLE.prepare(environment, folder / "app", folder / "copy", folder / "conf.d"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "config.json"),
        ([], "no object"),
        ({}, "exactly one of"),
        (GOOD | {"default_hs_url": "https://x.example"}, "found default_server_config and default_hs_url"),
        ({"default_server_config": {}}, "base_url"),
        ({"default_server_config": {"m.homeserver": {"base_url": "https://matrix-client.matrix.org"}}}, "the sample's"),
    ],
)
def test_wrong_configuration_is_refused(tmp_path: Path, config: Any, said: str) -> None:
    with pytest.raises(DOUBLE.Refused, match=said):
        prepare(tmp_path, config)


def test_missing_pieces_of_the_image_are_named(tmp_path: Path) -> None:
    with pytest.raises(DOUBLE.Refused, match="ELEMENT_WEB_PORT"):
        prepare(tmp_path, GOOD, ELEMENT_WEB_PORT="http")
    with pytest.raises(DOUBLE.Refused, match=r"nowhere is not writable"):
        DOUBLE.prepare({}, tmp_path / "app", tmp_path / "copy", tmp_path / "nowhere")
    assert prepare(tmp_path, GOOD) == 80


def test_what_the_product_renders_is_served(tmp_path: Path) -> None:
    from suite_deploy.render.render import render
    from tests.contract.support import deployment_of, environment

    tree = render(deployment_of(tmp_path, {"synapse": {}, "element-web": {}}))
    text = tree.config_files("element-web")["config.json"]
    assert prepare(tmp_path, text, **environment(tree, "element-web", "web")) == 8080
    server = ThreadingHTTPServer(("127.0.0.1", 0), DOUBLE.handler(FOLDER, tmp_path / "copy"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    answer = requests.get(f"{url}/config.json", timeout=5)
    assert answer.text == text and answer.headers["Cache-Control"] == "no-cache"
    assert "config.json" in requests.get(url, timeout=5).text
    assert requests.get(f"{url}/config.chat.example.json", timeout=5).status_code == 404
    server.shutdown()
