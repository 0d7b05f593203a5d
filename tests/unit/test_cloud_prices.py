# SPDX-License-Identifier: MIT
"""The cost is never less than what is known to be sold: everything else the plan makes is named as unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.cloud.plan import Step
from suite_deploy.cloud.prices import BY_CONTENT, BY_PIECE, BY_SIZE, NOT_SOLD, Cost, monthly, read_prices
from suite_deploy.errors import InvalidInput
from suite_deploy.paths import resource_root

ALLOWED = sorted(
    yaml.safe_load((resource_root() / "policies" / "pack" / "resource-types.yml").read_text(encoding="utf-8"))["types"]
)
TABLE = "schema: 1\nas_of: 2026-10-01\nsource: contract 7\ncurrency: EUR\nhours_per_month: 720\n"
GATEWAY, NAT = "ovh:CloudProject/gateway:Gateway", "pulumi-python:dynamic/outscale:NatService"
ROUTER, BUCKET = "openstack:networking/router:Router", "ovh:CloudProject/storage:Storage"
ADDRESS = "openstack:networking/floatingIp:FloatingIp"


def cost(folder: Path, table: str, *types: str, action: Any = "create") -> Cost:
    (folder / "prices.yml").write_text(TABLE + table)
    steps = [Step(action, type, f"urn::{type}", f"{index}-{type}") for index, type in enumerate(types)]
    return monthly(steps, read_prices(folder), {})


@pytest.mark.parametrize(
    ("type", "key", "name"),
    [
        (GATEWAY, "gateway", "gateways"),
        (NAT, "nat_service", "NAT services"),
        (ROUTER, "router", "routers"),
        ("openstack:images/image:Image", "image", "uploaded images"),
        (ADDRESS, "public_address", "public addresses"),
    ],
)
def test_what_is_sold_by_the_piece_is_priced_or_unknown(tmp_path: Path, type: str, key: str, name: str) -> None:
    priced = cost(tmp_path, f"{key}: {{hour: 0.5}}\n", type, type)
    assert (priced.amount, priced.unknown) == (720.0, ())
    other = "router" if key == "gateway" else "gateway"
    assert cost(tmp_path, f"{other}: {{month: 3}}\n", type).unknown == (name,)


def test_a_price_of_zero_is_a_price(tmp_path: Path) -> None:
    free = cost(tmp_path, "router: {month: 0}\n", ROUTER)
    assert (free.amount, free.unknown) == (0.0, ())


@pytest.mark.parametrize("type", [BUCKET, "openstack:objectstorage/container:Container"])
def test_what_buckets_will_hold_is_unknown_even_with_a_price(tmp_path: Path, type: str) -> None:
    assert cost(tmp_path, "public_address: {month: 2}\n", ADDRESS, type).unknown == ("objects in buckets",)
    priced = cost(tmp_path, "public_address: {month: 2}\nobjects: 0.01\n", ADDRESS, type)
    assert (priced.amount, priced.unknown) == (2.0, ("objects in buckets (0.01 EUR for a GiB)",))
    assert cost(tmp_path, "public_address: {month: 2}\nobjects: 0.01\n", ADDRESS).unknown == ()


def test_what_goes_costs_nothing(tmp_path: Path) -> None:
    assert cost(tmp_path, "", GATEWAY, BUCKET, action="remove") == cost(tmp_path, "")


def test_a_type_nobody_thought_of_has_an_unknown_price(tmp_path: Path) -> None:
    assert cost(tmp_path, "", "openstack:sharedfilesystem/share:Share").unknown == ("share",)


@pytest.mark.parametrize("name", ALLOWED)
def test_every_allowed_type_is_sold_in_one_way_or_not_at_all(name: str) -> None:
    last = name.rpartition(":")[2]
    ways = [last in way for way in (BY_PIECE, BY_CONTENT, BY_SIZE, NOT_SOLD)]
    unsold = name.startswith(("pulumi:", "suite:")) or last == "LoadBalancer"
    assert sum(ways) == (0 if unsold else 1), f"say in cloud/prices.py how {name} is sold"


def test_a_mistake_in_the_table_is_said_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"prices\.yml:6: curency: unknown key\. Did you mean `currency`"):
        cost(tmp_path, "curency: EUR\n", GATEWAY)
