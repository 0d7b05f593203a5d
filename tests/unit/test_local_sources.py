# SPDX-License-Identifier: MIT
"""The hosts' package sources follow the outer machine's own mirrors, whatever way they are written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.local import sources
from stacks.local.sources import Mirrors, choose
from suite_deploy.errors import CouldNotRun

DEB822 = """\
Types: deb deb-src
URIs: https://mirror.region.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.region.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: https://mirror.region.example/debian-off
Suites: bookworm
Components: main
Enabled: no
"""
ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb [arch=amd64] http://ftp.example/debian bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://ftp.example/debian bookworm-updates main # words
deb http://security.example/debian-security bookworm-security main
deb-src http://ftp.example/debian bookworm main
deb http://ftp.example/debian bookworm-backports main
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
"""


def ask_apt(folder: Path, name: str, text: str) -> list[sources.Target]:
    """What apt itself makes of a sources file; no lists have been downloaded, so nobody has an origin."""
    parts = folder / "sources.list.d"
    parts.mkdir()
    (parts / name).write_text(text)
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": str(parts),
        "Dir::State::lists": str(folder / "lists"),
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return sources.ask_apt(words)


def target(uri: str, release: str, origin: str = "Debian", component: str = "main") -> sources.Target:
    return sources.Target(uri, release, component, origin, "/etc/apt/sources.list.d/some.sources:1")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "debian.sources",
            DEB822,
            {
                "": "https://mirror.region.example/debian/",
                "-updates": "https://mirror.region.example/debian/",
                "-security": "https://mirror.region.example/debian-security/",
            },
        ),
        (
            "debian.list",
            ONE_LINE,
            {
                "": "http://ftp.example/debian/",
                "-updates": "http://ftp.example/debian/",
                "-security": "http://security.example/debian-security/",
            },
        ),
    ],
)
def test_both_formats_of_sources_are_understood(tmp_path: Path, name: str, text: str, expected: dict[str, str]) -> None:
    assert choose(ask_apt(tmp_path, name, text))[0] == expected


def test_only_what_calls_itself_debian_counts() -> None:
    bases, _ = choose(
        [
            target("https://apt.vendor.example/", "bookworm", origin="Vendor"),
            target("https://dl.browser.example/linux/debian/", "stable", origin="Browser"),
            target("http://ftp.example/debian/", "bookworm"),
        ]
    )
    assert bases == {"": "http://ftp.example/debian/"}


def test_without_downloaded_lists_the_address_has_to_do() -> None:
    bases, _ = choose(
        [target("https://apt.vendor.example/", "bookworm", origin=""), target("http://m.example/debian", "stable", "")]
    )
    assert bases == {"": "http://m.example/debian"}


@pytest.mark.parametrize("release", ["bookworm-backports", "bookworm-pgdg", "nodistro", "noble", "bookworm/other"])
def test_releases_hosts_have_no_use_for_are_left_out(release: str) -> None:
    assert choose([target("http://ftp.example/debian/", release)])[0] == {}


def test_the_old_name_of_the_security_release_is_known() -> None:
    bases, _ = choose(
        [
            target("http://f.example/debian", "oldstable"),
            target("http://s.example/debian-security", "oldstable/updates"),
        ]
    )
    assert bases["-security"] == "http://s.example/debian-security"


def test_a_machine_without_debian_mirrors_is_told_to_add_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "ask_apt", lambda: [])
    with pytest.raises(CouldNotRun, match="no Debian mirror"):
        sources.discover()


def test_what_is_no_web_address_is_no_mirror() -> None:
    assert choose([])[0] == {}
    assert choose([target("cdrom:[Debian]/", "bookworm"), target("file:/srv/mirror/", "bookworm")])[0] == {}


def test_mirror_lists_of_cloud_images_are_followed(tmp_path: Path) -> None:
    listed = tmp_path / "debian.list"
    listed.write_text("# mirrors\n\nhttps://cdn.example/debian priority:1\nhttp://second.example/debian\n")
    found = sources._mirror_list(f"mirror+file://{listed}/")
    assert found == "https://cdn.example/debian"
    assert choose([target(f"mirror+file:{listed}/", "bookworm")], sources._mirror_list)[0] == {"": found}


def test_a_missing_mirror_list_is_no_mirror(tmp_path: Path) -> None:
    gone = f"mirror+file:{tmp_path}/none/"
    assert choose([target(gone, "bookworm")], sources._mirror_list)[0] == {}


def mirrors(**bases: str) -> Mirrors:
    keyed = {{"main": "", "updates": "-updates", "security": "-security"}[name]: uri for name, uri in bases.items()}
    return Mirrors(keyed, None, {}, None, {})


def test_hosts_see_plain_http_addresses_without_credentials() -> None:
    private = mirrors(main="https://login:pass%40word@mirror.example:8443/debian/")
    text = private.guest_sources()
    assert "URIs: http://mirror.example:8443/debian\n" in text
    assert "login" not in text and "pass" not in text and "https" not in text
    assert private.proxy_mirrors() == {
        "http://mirror.example:8443/debian/": "https://login:pass%40word@mirror.example:8443/debian/"
    }


def test_hosts_get_their_release_from_one_stanza_per_mirror() -> None:
    text = mirrors(
        main="http://a/debian/", updates="http://a/debian", security="http://b/debian-security"
    ).guest_sources()
    assert text.count("Types: deb\n") == 2
    assert "Suites: trixie trixie-updates\n" in text
    assert "Suites: trixie-security\n" in text
    assert "bookworm" not in text


def test_a_missing_security_mirror_is_not_invented() -> None:
    assert "security" not in mirrors(main="http://a/debian").guest_sources()


def test_a_key_of_ones_own_goes_with_the_mirror(tmp_path: Path) -> None:
    key = tmp_path / "region.gpg"
    key.write_bytes(b"key")
    signed = tmp_path / "debian.sources"
    signed.write_text(f"Types: deb\nSigned-By: {key}\n")
    one_line = tmp_path / "debian.list"
    one_line.write_text(f"deb [signed-by={key} arch=amd64] http://a/debian bookworm main\n")
    assert sources.own_keyring([str(signed)]) == sources.own_keyring([str(one_line)]) == key
    assert (
        "Signed-By: /etc/apt/keyrings/region.gpg" in Mirrors({"": "http://a/debian"}, key, {}, None, {}).guest_sources()
    )


def test_debians_own_key_is_not_copied(tmp_path: Path) -> None:
    signed = tmp_path / "debian.sources"
    signed.write_text("Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
    assert sources.own_keyring([str(signed), str(tmp_path / "absent")]) is None


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ("Acquire::http::Proxy=http://p:3128\n", {}, {"http": "http://p:3128", "https": "http://p:3128"}),
        ("Acquire::HTTP::proxy=http://p:1\nAcquire::https::Proxy=DIRECT\n", {}, {"http": "http://p:1"}),
        ("", {"http_proxy": "http://e:1", "https_proxy": "http://e:2"}, {"http": "http://e:1", "https": "http://e:2"}),
        (
            "Acquire::http::Proxy=http://p:1\n",
            {"http_proxy": "http://e:1"},
            {"http": "http://p:1", "https": "http://p:1"},
        ),
        ("Acquire::http::Proxy=false\n", {"http_proxy": "http://e:1"}, {}),
        ("Acquire::http=\n", {}, {}),
    ],
)
def test_the_proxy_is_the_one_apt_uses(options: str, environment: dict[str, str], expected: dict[str, str]) -> None:
    assert sources.proxy_settings(sources.parse_options(options), environment)[0] == expected


def test_only_certificates_count_as_additional_cas(tmp_path: Path) -> None:
    (tmp_path / "region").mkdir()
    (tmp_path / "region" / "b.crt").write_text("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")
    (tmp_path / "a.crt").write_bytes(b"\x30\x82binary")
    (tmp_path / "c.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert [text.count("BEGIN") for text in sources.extra_cas(tmp_path)] == [1]
    assert sources.extra_cas(tmp_path / "absent") == []


def test_what_apt_said_is_remembered_until_its_settings_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(sources, "_apt_state", lambda: state)
    monkeypatch.setattr(sources, "discover", lambda: asked.append(1) or mirrors(main=f"http://m{len(asked)}/debian"))
    record = tmp_path / "mirrors.json"
    state = "one"
    first = sources.remembered(record)
    sources.remember(first, record)
    assert sources.remembered(record) == first and len(asked) == 1
    assert record.stat().st_mode & 0o077 == 0, "a mirror's address may hold a login"
    state = "two"
    assert sources.remembered(record) != first
    record.write_text("{")
    assert sources.remembered(record) != first
