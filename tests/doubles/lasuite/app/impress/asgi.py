# SPDX-License-Identifier: MIT
"""What uvicorn serves. Tasks are sent by the application's own queue, which has to be there first."""

from configurations.asgi import get_asgi_application

from impress.celery_app import app as queue

__all__ = ["application", "queue"]
application = get_asgi_application()
