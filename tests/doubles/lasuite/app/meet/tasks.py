# SPDX-License-Identifier: MIT
"""What the queue does."""

from celery import shared_task
from core.storage import bucket, client


@shared_task
def remove_objects(keys: list[str]) -> None:
    """Remove what somebody deleted."""
    for key in keys:
        client().delete_object(Bucket=bucket(), Key=key)
