# SPDX-License-Identifier: MIT
"""What a program registers: a dynamic resource with a type token of its own, so that policies see what it is."""

from __future__ import annotations

from typing import Any, ClassVar

import pulumi
from pulumi.dynamic import Resource, ResourceProvider


class OutscaleResource(Resource):
    """provider: what manages it. computed: names of properties that only the API can tell."""

    provider: ClassVar[ResourceProvider]
    computed: ClassVar[tuple[str, ...]] = ()

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None, **properties: Any) -> None:
        """resource_name: of the engine. properties: camelCase, as policies and the engine's state show them."""
        given = {key: value for key, value in properties.items() if value is not None}
        unknown: dict[str, Any] = dict.fromkeys((*self.computed, "accountId"))
        super().__init__(type(self).provider, resource_name, {**given, **unknown}, opts)

    def out(self, name: str) -> pulumi.Output[Any]:
        """A property, by its camelCase name, as it is once the resource exists."""
        value: pulumi.Output[Any] = self.__dict__[name]
        return value
