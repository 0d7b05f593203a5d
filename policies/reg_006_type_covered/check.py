# SPDX-License-Identifier: MIT
"""The allow-list of resource types."""

from suite_deploy.policy.coverage import covered
from suite_deploy.policy.rule import Resource, Subject, resource_clause


@resource_clause("type_listed", "*")
def type_listed(resource: Resource, subject: Subject) -> str | None:
    if covered(resource.type):
        return None
    return f"the type {resource.type} is not on the list of types that were looked at."
