# SPDX-License-Identifier: MIT
"""`infrastructure.dns`: which zones are accepted, where, and what is said of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from osc_sdk_python import outscale_gateway

from suite_deploy.errors import InvalidInput
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load

HOST: dict[str, dict[str, Any]] = {"one": {"groups": ["edge", "apps", "data"]}}
CLOUDS: dict[str, dict[str, Any]] = {
    "openstack": {"auth_url": "https://auth.example/v3", "hosts": HOST},
    "ovh": {"project": "p", "hosts": HOST},
    "outscale": {"hosts": HOST},
}
ELSEWHERE: dict[str, dict[str, Any]] = {
    "local": {"hosts": HOST},
    "existing": {"hosts": {"one": HOST["one"] | {"address": "192.0.2.7", "private_address": "192.0.2.7"}}},
}


def loaded(folder: Path, driver: str, dns: Any, domain: str = "suite.region-x.example") -> Deployment:
    given = CLOUDS.get(driver) or ELSEWHERE[driver]
    infrastructure = {"driver": driver, **given, **({"dns": dns} if dns is not None else {})}
    if driver in CLOUDS:
        infrastructure |= {"offer": "a/b", "region": "r-1"}
    content = {
        "schema": 1,
        "suite": "named",
        "domain": domain,
        "profile": "dev",
        "infrastructure": infrastructure,
        "components": {"keycloak": {}},
    }
    path = folder / "suite.yml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load(str(path))


def refused(folder: Path, driver: str, dns: Any, **more: str) -> str:
    with pytest.raises(InvalidInput) as error:
        loaded(folder, driver, dns, **more)
    return str(error.value)


@pytest.mark.parametrize("driver", ["openstack", "ovh"])
@pytest.mark.parametrize("zone", ["region-x.example", "suite.region-x.example", "Region-X.Example."])
def test_a_zone_that_the_domain_lies_in_is_accepted_however_it_is_written(
    tmp_path: Path, driver: str, zone: str
) -> None:
    deployment = loaded(tmp_path, driver, {"zone": zone})
    assert deployment.dns is not None and deployment.dns.ttl == 300
    assert deployment.dns.zone == zone.lower().rstrip(".")
    assert deployment.zone_names == deployment.public_names


@pytest.mark.parametrize("zone", ["other.example", "id.suite.region-x.example", "x.example", "gion-x.example"])
def test_a_zone_that_the_domain_does_not_lie_in_is_refused_with_those_it_does(tmp_path: Path, zone: str) -> None:
    said = refused(tmp_path, "openstack", {"zone": zone})
    line = 1 + next(
        number for number, text in enumerate((tmp_path / "suite.yml").read_text().splitlines()) if "zone:" in text
    )
    assert f"suite.yml:{line}: infrastructure.dns.zone: the suite's domain suite.region-x.example" in said
    assert "Accepted: suite.region-x.example, region-x.example." in said and "`up` lists the records" in said


@pytest.mark.parametrize("dns", [{}, {"zone": "no zone"}, {"zone": "region-x.example.."}, {"zone": "a", "ttl": 60}])
def test_what_is_no_zone_is_refused(tmp_path: Path, dns: dict[str, Any]) -> None:
    assert "infrastructure.dns.zone" in refused(tmp_path, "ovh", dns)


@pytest.mark.parametrize("ttl", [0, 59, 86_401, "soon"])
def test_a_ttl_that_no_provider_takes_is_refused(tmp_path: Path, ttl: Any) -> None:
    """OVHcloud takes 60 and more, https://registry.terraform.io/providers/ovh/ovh: domain_zone_record."""
    assert "infrastructure.dns.ttl" in refused(tmp_path, "ovh", {"zone": "region-x.example", "ttl": ttl})


@pytest.mark.parametrize(
    ("driver", "why"),
    [
        ("outscale", "Outscale has no DNS service"),
        ("existing", "nothing is created"),
        ("local", "stand in its /etc/hosts"),
    ],
)
def test_where_there_is_no_dns_the_key_is_refused_with_the_reason(tmp_path: Path, driver: str, why: str) -> None:
    said = refused(tmp_path, driver, {"zone": "region-x.example"})
    assert "suite.yml:" in said and "infrastructure.dns: is no key here: " in said and why in said
    assert loaded(tmp_path, driver, None).dns is None


def test_outscales_api_knows_no_call_about_zones_or_records() -> None:
    """By its published description, inside its own SDK."""
    description = Path(outscale_gateway.__file__).parent / "resources" / "outscale.yaml"
    calls = [line for line in description.read_text(encoding="utf-8").splitlines() if line.startswith("  /")]
    assert len(calls) > 150
    assert not [call for call in calls if any(word in call.lower() for word in ("dns", "record", "zone", "domain"))]
