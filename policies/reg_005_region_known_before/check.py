# SPDX-License-Identifier: MIT
"""An unknown place is a violation, not a reason to look away."""

from suite_deploy.policy.places import says_where
from suite_deploy.policy.resource import walk
from suite_deploy.policy.rule import UNKNOWN, Resource, Subject, resource_clause


@resource_clause("place_known", "*")
def place_known(resource: Resource, subject: Subject) -> str | None:
    for origin, settings in (("", resource.props), ("its provider's ", resource.provider)):
        for key, value in settings.items():
            if value is UNKNOWN:
                if says_where(key):
                    return f"{origin}{key} is not known before something is created; write it as text."
            elif type(value) in (dict, list) and says_where(key):
                unknown = next((path for path, item in walk(value, key) if item is UNKNOWN), None)
                if unknown:
                    return f"{origin}{unknown} is not known before something is created; write it as text."
    return None
