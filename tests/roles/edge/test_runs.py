# SPDX-License-Identifier: MIT
"""What runs of the role change, refuse and repair."""

from __future__ import annotations

import re
import ssl

import pytest

from tests.roles.box import Box, ConvergeFailed
from tests.roles.edge.site import APP, DOMAIN, OTHER, UPSTREAM, Variables, proxy
from tests.roles.web import Browser

pytestmark = pytest.mark.needs_root


def test_a_second_run_and_one_in_check_mode_change_nothing(edge: Box, wanted: Variables) -> None:
    assert edge.converge("edge", "default", wanted, run="second").changed == ()
    assert edge.converge("edge", "default", wanted, run="check", arguments=["--check"]).changed == ()


class TestRuns:
    def test_a_configuration_nginx_refuses_never_replaces_the_one_that_works(
        self, edge: Box, browser: Browser, wanted: Variables
    ) -> None:
        before = edge.succeed("sha256sum /etc/nginx/nginx.conf")
        broken = [{"hostname": APP, "routes": [proxy("^/(unbalanced", match="regex")]}]
        with pytest.raises(ConvergeFailed, match="nginx"):
            edge.converge("edge", "broken", wanted | {"edge_sites": [*wanted["edge_sites"][:1], *broken]})
        assert edge.succeed("sha256sum /etc/nginx/nginx.conf") == before
        assert browser.ask(APP, "/").status == 200

    def test_routes_that_cannot_be_served_are_all_named_before_anything_changes(
        self, edge: Box, wanted: Variables
    ) -> None:
        wrong = {
            "/a": ({"kind": "proxy"}, "needs an upstream"),
            "/b": ({"kind": "proxy", "upstream": f"{UPSTREAM}/path"}, "needs an upstream"),
            "/c": ({"kind": "respond"}, "needs respond.json or respond.text"),
            "/d": ({"kind": "redirect"}, "needs a target"),
            "/e": (proxy("/e", auth={"upstream": UPSTREAM}), "auth needs an upstream"),
            "/f": (proxy("/f", upstream="https://s3.example.org/bucket"), "needs an upstream"),
            "/g": (proxy("/g", rewrite_from="/g"), "rewrite_from and rewrite_to both begin with /"),
            "/h": (proxy("/h", hash_by="a-b"), "hash_by is the name of an argument"),
            "/i": (proxy("/i", upstreams=[UPSTREAM]), "upstreams are like"),
            "/j": (
                proxy("/j", headers={"strict-transport-security": "max-age=1"}),
                "Strict-Transport-Security is set by",
            ),
            "/k": (proxy("/k", headers={"X Y": "z"}), "headers are named with"),
        }
        refused = [{"path": path} | route for path, (route, _) in wrong.items()]
        with pytest.raises(ConvergeFailed) as caught:
            edge.converge("edge", "refused", wanted | {"edge_sites": [{"hostname": APP, "routes": refused}]})
        for path, (_, says) in wrong.items():
            assert re.search(rf"- {path}: [^\\]*{re.escape(says)}", str(caught.value)), path

    def test_what_cannot_be_passed_on_is_all_named_before_anything_changes(self, edge: Box, wanted: Variables) -> None:
        somebody = ["192.0.2.0/24"]
        wrong = {
            "edge_tls_names": [{"name": "turn.suite.example", "upstream": "turn-1:5349"}],
            "edge_passthrough": [
                {"name": "*.example.org", "upstream": "a.example.org:443", "sources": somebody},
                {"name": "b.example.org", "upstream": "b.example.org", "sources": somebody},
                {"name": "c.example.org", "upstream": "c.example.org:443", "sources": []},
            ],
            "edge_relays": [
                {"port": 443, "upstream": "smtp.example.org:25", "sources": somebody},
                {"port": 587, "upstream": "smtp.example.org", "sources": []},
                {"port": 465, "upstream": "smtp.example.org:465", "sources": somebody},
                {"port": 465, "upstream": "smtp.example.org:587", "sources": somebody},
            ],
        }
        twice = {"edge_tls_names": [{"name": APP.upper(), "upstream": "192.0.2.1:5349"}]}
        said, named = edge.refusals("edge", [wanted | wrong, wanted | twice])
        for mistake in (
            "turn.suite.example needs a DNS name and an upstream",
            "*.example.org needs a DNS name and an upstream",
            "b.example.org needs a DNS name and an upstream",
            "edge_passthrough: c.example.org needs sources",
            "port 443 is taken",
            "port 587 needs an upstream",
            "edge_relays: port 587 needs sources",
            "port 465 is taken",
        ):
            assert mistake in said, mistake
        assert f"Named more than once in edge_sites, edge_tls_names and edge_passthrough: {APP}" in named

    def test_an_unknown_kind_of_route_is_refused(self, edge: Box, wanted: Variables) -> None:
        sites = [{"hostname": APP, "routes": [{"path": "/", "kind": "nothing"}]}]
        with pytest.raises(ConvergeFailed, match="must be one of"):
            edge.converge("edge", "refused", wanted | {"edge_sites": sites})

    def test_what_an_interrupted_run_left_unloaded_the_next_one_loads(
        self, edge: Box, browser: Browser, wanted: Variables
    ) -> None:
        more = wanted | {
            "edge_sites": [*wanted["edge_sites"], {"hostname": OTHER, "routes": [proxy("/")]}],
            "edge_hsts_seconds": 77,
            "edge_ipv6": edge.command("grep -q . /proc/net/if_inet6").returncode == 0,
            "edge_tls_names": [{"name": "turn.suite.example", "upstream": "[2001:db8::1]:5349"}],
            "edge_relays": [{"port": 20465, "upstream": "smtp.example.org:465", "sources": ["2001:db8::/32"]}],
        }
        servers = "search example.org\\nnameserver 192.0.2.53\\n#nameserver 192.0.2.1\\nnameserver 2001:db8::53\\n"
        edge.succeed(f"cp /etc/resolv.conf /tmp/resolv.conf; printf '{servers}' > /etc/resolv.conf")
        edge.converge("edge", "alternative", more, run="half", arguments=["--skip-tags", "run"])
        with pytest.raises(ssl.SSLError):
            browser.connect(OTHER).close()
        served_by = edge.succeed("systemctl show -P MainPID nginx")
        edge.converge("edge", "alternative", more, run="whole")
        edge.succeed("sleep 1")
        assert browser.ask(OTHER, "/").headers["Strict-Transport-Security"] == "max-age=77"
        asked = edge.succeed("grep -o 'resolver 192.*53. ' /etc/nginx/nginx.conf; mv /tmp/resolv.conf /etc/resolv.conf")
        assert asked == "resolver 192.0.2.53 [2001:db8::53]"
        assert edge.succeed("systemctl show -P MainPID nginx") == served_by, "nginx was restarted, not reloaded"
        edge.converge("edge", "default", wanted)
        edge.succeed("sleep 1")
        with pytest.raises(ssl.SSLError):
            browser.connect(OTHER).close()

    def test_a_stopped_nginx_and_changed_files_are_whole_after_one_run(
        self, edge: Box, browser: Browser, wanted: Variables
    ) -> None:
        edge.succeed(
            "systemctl disable -q --now nginx; rm /etc/suite/tls/edge.crt; chmod 0600 /etc/nginx/nginx.conf;"
            "echo >> /var/www/suite-portal/fr.html; echo >> /etc/systemd/system/nginx.service.d/suite.conf;"
            "head -c 99 /dev/urandom > /var/lib/suite/edge.loaded"
        )
        edge.converge("edge", "damaged", wanted)
        assert browser.ask(DOMAIN, "/").status == 200
        assert edge.succeed("systemctl is-enabled nginx; stat -c %a /etc/nginx/nginx.conf") == "enabled\n644"
        assert edge.converge("edge", "damaged", wanted, run="second").changed == ()
