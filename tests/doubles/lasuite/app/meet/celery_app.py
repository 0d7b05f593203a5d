# SPDX-License-Identifier: MIT
"""The queue."""

from celery import Celery
from configurations.importer import install

install(check_options=True)

app = Celery("meet")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(lambda: ["meet"])
app.set_default()
