# SPDX-License-Identifier: MIT
"""As upstream's: where gunicorn listens, how many at once, how long."""

bind = ["0.0.0.0:8000"]
name = "meet"
python_path = "/app"
graceful_timeout = 90
timeout = 90
workers = 3
accesslog = "-"
errorlog = "-"
loglevel = "info"
