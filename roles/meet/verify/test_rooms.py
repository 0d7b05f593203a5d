# SPDX-License-Identifier: MIT
"""A person opens a room and is let in at the media server; nobody else opens one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.verify.machines import Machine
from suite_deploy.verify.people import People
from suite_deploy.verify.web import TIMEOUT, Web

CLOSED = (401, 403, 404)


def media_server(deployment: Deployment, component: Component) -> Component:
    found = deployment.provider_for(component, "livekit")
    assert found is not None, "there is no media server"
    return found


def test_person_is_known_after_signing_in(
    component: Component, new_attendee: Callable[[], Any], people: People
) -> None:
    attendee = new_attendee()
    assert attendee.call("GET", "users/me/").status_code == 401, "somebody is signed in before signing in"
    attendee.sign_in(people[0])
    person = attendee.ask("GET", "users/me/")
    assert person["email"] and person["full_name"], f"Visio does not know the name or address of {people[0].username}"


def test_room_opens_at_the_media_server(
    component: Component,
    deployment: Deployment,
    new_attendee: Callable[[], Any],
    media_claims: Callable[[str, str, str], dict[str, Any]],
    people: People,
    secret: Callable[[str], str],
    room_name: str,
    web: Web,
) -> None:
    server = media_server(deployment, component)
    host = new_attendee()
    host.sign_in(people[0])
    room = host.make("rooms", name=room_name)
    entrance = host.ask("GET", f"rooms/{room['slug']}/")["livekit"]
    assert entrance["url"] == server.url, f"people are sent to {entrance['url']}"
    claims = media_claims(entrance["token"], server.slug, secret(f"{server.slug}.api_secret"))
    video = claims["video"]
    assert video["room"] == entrance["room"] == room["id"], "the token is for another room"
    assert video["roomJoin"] and video["canPublish"] and video["canSubscribe"], f"the token grants {video}"
    assert video.get("roomAdmin"), "whoever made the room does not lead it"
    with web.session() as session:
        answer = session.get(f"{server.url}/rtc/validate", params={"access_token": entrance["token"]}, timeout=TIMEOUT)
        assert answer.status_code == 200, f"the media server answers the token with {answer.status_code}"
        head, payload, _ = entrance["token"].split(".")
        forged = {"access_token": f"{head}.{payload}.{'A' * 43}"}
        answer = session.get(f"{server.url}/rtc/validate", params=forged, timeout=TIMEOUT)
        assert answer.status_code == 401, f"the media server answers a forged token with {answer.status_code}"


def test_room_lets_in_whom_its_access_says(
    component: Component, new_attendee: Callable[[], Any], people: People, room_name: str
) -> None:
    host, colleague, stranger = new_attendee(), new_attendee(), new_attendee()
    host.sign_in(people[0])
    colleague.sign_in(people[1])
    room = host.make("rooms", name=room_name)
    wanted = component.options["access"]
    assert room["access_level"] == wanted, f"a new room is {room['access_level']}, not {wanted}"
    for who, attendee, enters in (
        ("a colleague", colleague, wanted in ("trusted", "public")),
        ("a stranger", stranger, wanted == "public"),
    ):
        found = "livekit" in attendee.ask("GET", f"rooms/{room['slug']}/")
        assert found == enters, f"{who} is {'let in' if found else 'kept out'}"
        gone = attendee.call("DELETE", f"rooms/{room['id']}/")
        assert gone.status_code in CLOSED, f"{who} may remove the room ({gone.status_code})"


def test_nobody_opens_a_room_by_its_address(
    component: Component, new_attendee: Callable[[], Any], people: People, room_name: str
) -> None:
    attendee, stranger = new_attendee(), new_attendee()
    attendee.sign_in(people[0])
    for who in (attendee, stranger):
        answer = who.call("GET", f"rooms/{room_name}/")
        assert answer.status_code == 404, f"a room that nobody made is answered with {answer.status_code}"
    made = stranger.call("POST", "rooms/", json={"name": room_name})
    assert made.status_code in (401, 403), f"making a room is answered with {made.status_code} without signing in"


def test_only_the_media_server_reports_what_happens(
    component: Component, deployment: Deployment, web: Web, machines: Mapping[str, Machine]
) -> None:
    need = component.description.needs.livekit
    assert need is not None and need.webhook
    url = f"{component.url}{need.webhook}"
    with web.session() as session:
        outside = session.post(url, data="{}", timeout=TIMEOUT).status_code
    assert outside == 404, f"from outside the report is answered with {outside}"
    where = machines[media_server(deployment, component).host]
    ask = "curl --silent --output /dev/null --write-out '%%{http_code}' --cacert /etc/suite/ca.crt"
    inside = where.read(f"{ask} --request POST --data '{{}}' %s", url).strip()
    assert inside == "401", f"from {where.name} a report without a signature is answered with {inside}"


def test_pages_name_no_other_site(
    component: Component, deployment: Deployment, new_attendee: Callable[[], Any]
) -> None:
    settings = new_attendee().ask("GET", "config/")
    for name in ("analytics", "support", "feedback"):
        assert not settings.get(name), f"{name} is {settings[name]!r}"
    assert settings["livekit"]["url"] == media_server(deployment, component).url
    assert not settings["recording"]["is_enabled"], "recordings are offered, and nothing records"


def test_page_may_use_camera_and_microphone(component: Component, web: Web) -> None:
    with web.session() as session:
        answer = session.get(f"{component.url}/", timeout=TIMEOUT)
        assert answer.status_code == 200 and "text/html" in answer.headers["Content-Type"]
        policy = answer.headers.get("Permissions-Policy", "")
        assert "camera=(self)" in policy and "microphone=(self)" in policy, f"Permissions-Policy is {policy!r}"
