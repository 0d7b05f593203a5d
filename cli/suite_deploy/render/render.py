# SPDX-License-Identifier: MIT
"""Deployment → every configuration file of every component, deterministic, without touching anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CouldNotRun
from ..model.component import Service
from ..model.deployment import Component, Deployment
from .edgevars import outbound_names
from .hostvars import all_vars, host_vars
from .tree import RenderedFile, RenderedService, RenderedTree
from .vocabulary import Addresses, context, evaluate, template_text

#: how an image stands in a unit before its digest is known
UNRESOLVED = "@image:{}@"


def render(
    deployment: Deployment, addresses: Addresses | None = None, images: Mapping[str, str] | None = None
) -> RenderedTree:
    """Render everything.

    addresses: the hosts' addresses, documentation addresses before they exist. images: `name:tag` → reference by
    digest; an image that is not in it stands as a placeholder, which no host accepts.
    """
    places = addresses or Addresses.unknown(deployment)
    files: list[RenderedFile] = []
    services: list[RenderedService] = []
    for component in deployment.ordered:
        found_files, found_services = _component(deployment, component, places, images or {})
        files += found_files
        services += found_services
    tree = RenderedTree(tuple(sorted(files, key=lambda item: item.build_path)), tuple(services))
    return RenderedTree(
        tree.files,
        tree.services,
        host_vars={host.name: host_vars(deployment, tree, host, places) for host in deployment.hosts},
        all_vars=all_vars(deployment, places),
    )


def _component(
    deployment: Deployment, component: Component, addresses: Addresses, images: Mapping[str, str]
) -> tuple[list[RenderedFile], list[RenderedService]]:
    words = context(deployment, component, addresses)
    description, slug = component.description, component.slug
    units = {name: f"{slug}-{name}.service" for name in (*description.services, *description.jobs)}
    files: list[RenderedFile] = []
    services: list[RenderedService] = []

    def add(path: str, content: str, mode: str, uid: int, restarts: tuple[str, ...]) -> None:
        files.append(RenderedFile(component.host, path, content, mode, uid, uid, slug, restarts))

    for name, file in description.files.items():
        template = f"roles/{component.folder.name}/templates/{file.template}"
        text = template_text(template, words)
        restarts = tuple(units[service] for service in file.services)
        owner = component.uid_base + description.services[file.services[0]].user
        add(f"/etc/suite/{slug}/files/{name}", text, "0400", owner, restarts)
    for name, service in description.services.items():
        env = _environment(service, words, f"roles/{slug}/component.yml: services.{name}")
        reference = _image(component, service.image, images)
        add(f"/etc/suite/{slug}/{name}.env", _env_file(env), "0400", 0, (units[name],))
        unit = _unit("container.j2", deployment, component, addresses, name, service, reference, words)
        add(f"/etc/containers/systemd/{slug}-{name}.container", unit, "0444", 0, (units[name],))
        services.append(_service(component, name, units[name], service.image, reference, env, service.network))
    for name, job in description.jobs.items():
        model = description.services[job.env_of] if job.env_of else None
        service = Service(
            image=job.image,
            command=job.command,
            user=model.user if model else 1000,
            env=model.env if model else {},
            secret_env=model.secret_env if model else {},
            trust=model.trust if model else None,
            tmpfs=model.tmpfs if model else (),
            memory=model.memory if model else "512M",
        )
        env = _environment(service, words, f"roles/{slug}/component.yml: jobs.{name}")
        reference = _image(component, job.image, images)
        add(f"/etc/suite/{slug}/{name}.env", _env_file(env), "0400", 0, ())
        unit = _unit("job.j2", deployment, component, addresses, name, service, reference, words, like=job.env_of)
        add(f"/etc/containers/systemd/{slug}-{name}.container", unit, "0444", 0, ())
        services.append(_service(component, name, units[name], job.image, reference, env, "own", is_job=True))
    if any(service.network == "own" for service in description.services.values()):
        network = _render("network.j2", {"slug": slug, "subnet": deployment.container_subnet(component)})
        add(f"/etc/containers/systemd/{slug}.network", network, "0444", 0, tuple(units.values()))
    return files, services


def _service(
    component: Component,
    name: str,
    unit: str,
    image: str,
    reference: str,
    env: Mapping[str, str],
    network: str,
    is_job: bool = False,
) -> RenderedService:
    upstream = component.description.images[image]
    full = f"{upstream.name}:{upstream.tag}"
    return RenderedService(component.slug, name, unit, reference, full, dict(env), network, is_job)


def _image(component: Component, image: str, images: Mapping[str, str]) -> str:
    wanted = component.description.images[image]
    full = f"{wanted.name}:{wanted.tag}"
    return images.get(full) or UNRESOLVED.format(full)


def _environment(service: Service, words: Mapping[str, Any], where: str) -> dict[str, str]:
    env = {key: evaluate(value, words, f"{where}.env.{key}") for key, value in service.env.items()}
    env |= {key: evaluate(value, words, f"{where}.secret_env.{key}") for key, value in service.secret_env.items()}
    if service.trust and service.trust.env:
        env[service.trust.env] = service.trust.path
    return dict(sorted(env.items()))


def _env_file(env: Mapping[str, str]) -> str:
    for key, value in env.items():
        if "\n" in value:
            raise CouldNotRun(f"the value of {key} has several lines, which an environment file cannot hold")
    return "".join(f"{key}={value}\n" for key, value in env.items())


def _unit(
    template: str,
    deployment: Deployment,
    component: Component,
    addresses: Addresses,
    name: str,
    service: Service,
    reference: str,
    words: Mapping[str, Any],
    like: str | None = None,
) -> str:
    description, slug = component.description, component.slug
    edge, data = deployment.host_of("edge").name, deployment.host_of("data").name
    names = dict.fromkeys(deployment.public_names, addresses.private[edge])
    names |= dict.fromkeys(deployment.data_names, addresses.private[data])
    names |= dict.fromkeys(outbound_names(deployment, component), addresses.private[edge])
    publish = []
    for port in sorted({port for port in (service.port, service.probe.port if service.probe else None) if port}):
        host_port = component.loopback_port(name, port)
        publish.append(f"127.0.0.1:{host_port}:{port}")
        if component.host != edge and port == service.port:
            publish.append(f"{addresses.private[component.host]}:{host_port}:{port}")
    mounts = {
        f"/etc/suite/{slug}/files/{key}": file.mount
        for key, file in description.files.items()
        if (like or name) in file.services
    }
    volumes = {
        f"/srv/{slug}/{key}": volume.mount
        for key, volume in description.volumes.items()
        if (like or name) in volume.services
    }
    probe_port = (service.probe.port or service.port) if service.probe else None
    where = f"roles/{slug}/component.yml: services.{name}.command"
    return _render(
        template,
        {
            "component": component,
            "title": description.title,
            "slug": slug,
            "name": name,
            "service": service,
            "image": reference,
            "command": [evaluate(part, words, where) for part in service.command],
            "names": names,
            "publish": publish,
            "mounts": mounts,
            "volumes": volumes,
            "probe_url": f"http://127.0.0.1:{component.loopback_port(name, probe_port)}{service.probe.http}"
            if service.probe and probe_port
            else None,
        },
    )


def _render(template: str, values: Mapping[str, Any]) -> str:
    return template_text(f"roles/app/templates/{template}", values)
