# SPDX-License-Identifier: MIT
"""What the queue does."""

import requests
from celery import shared_task
from django.conf import settings


@shared_task
def reset_connections(document: str) -> None:
    """Make everybody who edits a document connect anew, with the rights they have now."""
    answer = requests.post(
        f"{settings.COLLABORATION_API_URL}reset-connections/?room={document}",
        headers={"Authorization": settings.COLLABORATION_SERVER_SECRET},
        timeout=10,
    )
    answer.raise_for_status()
