# SPDX-License-Identifier: MIT
"""What uvicorn serves."""

from configurations.asgi import get_asgi_application

application = get_asgi_application()
