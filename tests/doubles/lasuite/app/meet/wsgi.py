# SPDX-License-Identifier: MIT
"""What gunicorn serves."""

from configurations.wsgi import get_wsgi_application

application = get_wsgi_application()
