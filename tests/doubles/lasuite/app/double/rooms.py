# SPDX-License-Identifier: MIT
"""What the media server calls a room. Standard library only: tested without the packages of the image."""

from __future__ import annotations

import uuid


def room_id(name: str) -> uuid.UUID | None:
    """The id of the room that the media server calls `name`; None for a room that this application never made."""
    try:
        return uuid.UUID(name)
    except ValueError:
        return None
