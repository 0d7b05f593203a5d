# SPDX-License-Identifier: MIT
"""inventories/<name>/suite.yml → Deployment: read, merge, validate, resolve; every problem at once."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from .. import __version__
from ..errors import InvalidInput, Problem
from ..paths import state_dir as default_state_dir
from . import components as registry
from .component import ComponentFile
from .deployment import Component, Deployment, HostPlan
from .immutable import changed_immutables
from .inventory import Inventory, read_inventory
from .needs import KIND_WORDS, Described, implied_by, kinds_needed, needed_by, parameters_of_needs
from .offline import offline_problems
from .provided import provided_problems
from .sizing import size_hosts
from .suite import Existing, SuiteFile
from .unsupported import not_in_this_version
from .validation import validate
from .values import is_address

REFERENCE = "See docs/reference/suite.md."


def load(wanted: str) -> Deployment:
    """The deployment of an inventory, named or by path.

    Raises InvalidInput with every problem found: nothing else was touched by then.
    """
    return resolve(read_inventory(wanted))


def resolve(inventory: Inventory) -> Deployment:
    """Validate a merged inventory and resolve names, hosts and options."""
    suite, problems = validate(SuiteFile, inventory.data, inventory.place, reference=REFERENCE)
    written = inventory.data.get("components")
    described, component_problems = registry.read_options(
        {slug: value for slug, value in written.items() if value is None or isinstance(value, dict)}
        if isinstance(written, dict)
        else {},
        inventory.place,
    )
    problems += component_problems
    if suite is None or problems:
        raise InvalidInput(problems)
    problems += _version(suite, inventory)
    described |= implied_by(described, suite)
    state = (
        Path(suite.state.directory)
        if suite.state and suite.state.directory
        else default_state_dir(suite.suite, suite.infrastructure.driver)
    )
    sized = size_hosts(suite, described, state)
    hosts = sized.hosts if sized else _hosts(suite)
    for slug, name in (sized.placement if sized else {}).items():
        options = described[slug][1]
        options["host"] = options.get("host") or name
    problems += _host_problems(hosts, inventory)
    built: dict[str, Component] = {}
    for slug, (description, options) in described.items():
        components, found = _components(slug, description, options, described, suite, hosts, inventory)
        problems += found
        built |= {component.slug: component for component in components}
    problems += (
        _needs(described, suite, inventory)
        + _names(suite, built, inventory)
        + _networks(suite, hosts, inventory)
        + provided_problems(suite, described, inventory)
        + offline_problems(suite, inventory)
    )
    if problems:
        raise InvalidInput(problems)
    local = suite.infrastructure.driver == "local"
    deployment = Deployment(
        name=inventory.name,
        given=inventory.given,
        directory=inventory.directory,
        files=inventory.files,
        suite=suite,
        hosts=hosts,
        components=built,
        state_dir=state,
        secrets_file=(state if local else inventory.directory) / "secrets.yml",
        images_lock=(state if local else inventory.directory) / "images.lock.yml",
        waivers_file=inventory.directory / "waivers.yml",
        places=inventory.places,
        not_in_this_version=tuple(not_in_this_version(suite, inventory.place)),
    )
    problems = changed_immutables(deployment)
    if problems:
        raise InvalidInput(problems)
    return deployment


def _version(suite: SuiteFile, inventory: Inventory) -> list[Problem]:
    if suite.requires is None:
        return []
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    where = inventory.place(("requires",))
    name, _, bounds = suite.requires.strip().partition(" ")
    try:
        if name != "suite-deploy":
            raise InvalidSpecifier(name)
        fits = SpecifierSet(bounds).contains(__version__, prereleases=True)
    except InvalidSpecifier:
        accepted = "Accepted: like `suite-deploy >=0.1,<1`."
        return [Problem(where.file, where.line, "requires", f"{suite.requires!r} is not accepted.", accepted)]
    if fits:
        return []
    found = f"this inventory wants {suite.requires}; this is suite-deploy {__version__}."
    return [Problem(where.file, where.line, "requires", found, "", "Use that version, or change `requires`.")]


def _hosts(suite: SuiteFile) -> tuple[HostPlan, ...]:
    infrastructure = suite.infrastructure
    if isinstance(infrastructure, Existing):
        return tuple(
            HostPlan(name, item.groups, public=item.public, address=item.address, private_address=item.private_address)
            for name, item in infrastructure.hosts.items()
        )
    if infrastructure.hosts:
        return tuple(
            HostPlan(
                name, item.groups, getattr(item, "flavor", None), dict(item.volumes), getattr(item, "public", True)
            )
            for name, item in infrastructure.hosts.items()
        )
    return (HostPlan("suite-1", ("edge", "apps", "data", "media"), public=True),)


def _host_problems(hosts: tuple[HostPlan, ...], inventory: Inventory) -> list[Problem]:
    problems = []
    where = inventory.place(("infrastructure", "hosts"))
    for group in ("edge", "data"):
        names = [host.name for host in hosts if group in host.groups]
        if len(names) != 1:
            found = f"{len(names)} hosts are in the group `{group}`{': ' + ', '.join(names) if names else ''}."
            accepted = "Accepted in this version: exactly one."
            problems.append(Problem(where.file, where.line, "infrastructure.hosts", found, accepted))
    if not any("apps" in host.groups for host in hosts):
        found = "no host is in the group `apps`."
        problems.append(Problem(where.file, where.line, "infrastructure.hosts", found, "Accepted: one or more."))
    addresses: dict[str, str] = {}
    for host in hosts:
        if host.private_address and host.private_address in addresses:
            here = inventory.place(("infrastructure", "hosts", host.name, "private_address"))
            found = f"{host.private_address} is also the address of {addresses[host.private_address]}."
            key = f"infrastructure.hosts.{host.name}.private_address"
            problems.append(Problem(here.file, here.line, key, found))
        addresses.setdefault(host.private_address or "", host.name)
        if host.address and host.public and "media" in host.groups and not is_address(host.address):
            here = inventory.place(("infrastructure", "hosts", host.name, "address"))
            found = f"{host.address} is a name, and browsers are told the address of a media host itself."
            key = f"infrastructure.hosts.{host.name}.address"
            problems.append(Problem(here.file, here.line, key, found, "Accepted: an IP address."))
    return problems


def _components(
    slug: str,
    description: ComponentFile,
    options: dict[str, object],
    described: Described,
    suite: SuiteFile,
    hosts: tuple[HostPlan, ...],
    inventory: Inventory,
) -> tuple[list[Component], list[Problem]]:
    """A component, or those of its instances that somebody needs."""
    group = description.placement
    candidates = [host.name for host in hosts if group in host.groups]
    wanted = options.pop("host", None)
    written_name = options.pop("hostname", None)
    where = inventory.place(("components", slug, "host"))
    if wanted is not None and wanted not in candidates:
        found = f"{wanted!r} is no host of the group `{group}`."
        accepted = f"Accepted: {', '.join(candidates) or 'none there is'}."
        return [], [Problem(where.file, where.line, f"components.{slug}.host", found, accepted)]
    if not candidates:
        found = f"{description.title} runs on a host of the group `{group}`, and there is none."
        asking = needed_by(description, described)
        found += f" {asking} needs it." if asking and ("components", slug) not in inventory.places else ""
        next_step = f"Add `{group}` to a host's groups under infrastructure.hosts."
        return [], [Problem(where.file, where.line, f"components.{slug}", found, "", next_step)]
    resolved = {
        name: options[name] if options.get(name) is not None else registry.default_of(option, suite.domain)
        for name, option in description.options.items()
    }
    host = str(wanted) if wanted else candidates[0]

    def made(name: str, item: ComponentFile, need: dict[str, object]) -> Component:
        own = str(written_name) if written_name else None
        full = registry.full_hostname(own, item.hostname, suite.domain)
        further = {key: f"{label}.{suite.domain}" for key, label in item.hostnames.items()}
        return Component(name, item, registry.folder(slug), resolved, full, host, need, further)

    if not description.instances:
        return [made(slug, description, {})], []
    needs = parameters_of_needs(described)
    serving = [
        made(name, registry.describe(slug, name), dict(instance.need))
        for name, instance in description.instances.items()
        if instance.need in needs
    ]
    if serving:
        return serving, []
    found = f"nobody needs {description.title}: it is made for each distinct need of other components."
    step = f"Remove `{slug}`, or add a component that needs it."
    return [], [Problem(where.file, where.line, f"components.{slug}", found, "", step)]


def _needs(described: Described, suite: SuiteFile, inventory: Inventory) -> list[Problem]:
    problems = []
    providers = {kind for description, _ in described.values() for kind in description.provides}
    for slug, (description, _) in described.items():
        missing = [kind for kind in kinds_needed(description, suite) if kind not in providers]
        where = inventory.place(("components", slug))
        for kind in missing:
            able = registry.able_to_provide(kind)
            found = f"{description.title} cannot do without {KIND_WORDS[kind]}, and none is enabled."
            step = f"Add one of these to `components`: {', '.join(able)}."
            problems.append(Problem(where.file, where.line, f"components.{slug}", found, "", step))
    return problems


def _names(suite: SuiteFile, built: dict[str, Component], inventory: Inventory) -> list[Problem]:
    problems = []
    owner = {
        suite.domain: "the portal",
        f"postgresql.{suite.domain}": "the database server",
        f"valkey.{suite.domain}": "the cache server",
    }
    for slug, item in built.items():
        if item.hostname in owner:
            where = inventory.place(("components", slug, "hostname"))
            found = f"{item.hostname} is already the name of {owner[item.hostname]}."
            problems.append(Problem(where.file, where.line, f"components.{slug}.hostname", found))
        elif item.hostname:
            owner[item.hostname] = slug
        for name in item.hostnames.values():
            if name in owner:
                where = inventory.place(("components", slug))
                found = f"{name}, a name of {item.description.title}, is already the name of {owner[name]}."
                problems.append(Problem(where.file, where.line, f"components.{slug}", found))
            owner[name] = slug
    return problems


def _networks(suite: SuiteFile, hosts: tuple[HostPlan, ...], inventory: Inventory) -> list[Problem]:
    containers = ipaddress.IPv4Network(suite.network.containers)
    problems = []
    where = inventory.place(("network", "containers"))
    literals = {f"infrastructure.hosts.{host.name}.private_address": host.private_address for host in hosts}
    literals |= {f"network.dns[{index}]": value for index, value in enumerate(suite.network.dns)}
    literals |= {f"network.ntp[{index}]": value for index, value in enumerate(suite.network.ntp)}
    for key, value in literals.items():
        try:
            inside = value is not None and ipaddress.ip_address(value) in containers
        except ValueError:
            continue
        if inside:
            found = f"{containers} overlaps {key} ({value})."
            problems.append(
                Problem(where.file, where.line, "network.containers", found, "Choose a /16 used nowhere else.")
            )
    for index, allowed in enumerate(suite.ssh.from_):
        if ipaddress.IPv4Network(allowed).subnet_of(containers):
            here = inventory.place(("ssh", "from", index))
            found = f"{allowed} lies inside the container networks ({containers})."
            problems.append(Problem(here.file, here.line, f"ssh.from[{index}]", found))
    return problems
