# SPDX-License-Identifier: MIT
"""What every file that is read here has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Unknown keys are errors, objects do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
