# SPDX-License-Identifier: MIT
"""What gunicorn serves. Tasks are sent by the application's own queue, which has to be there first."""

from configurations.wsgi import get_wsgi_application

from meet.celery_app import app as queue

__all__ = ["application", "queue"]
application = get_wsgi_application()
