# SPDX-License-Identifier: MIT
"""Docs' own settings. Unlike Meet's, those of the queue and of creating people have a prefix."""

from __future__ import annotations

from configurations import values
from core.settings import Common, plain
from lasuite.configuration.values import SecretFileValue


class Production(Common):
    """The configuration meant for people."""

    ROOT_URLCONF = "impress.urls"
    ASGI_APPLICATION = "impress.asgi.application"
    SESSION_COOKIE_NAME = "docs_sessionid"
    # As in v5.6.1: the heartbeat answers before the host name is looked at
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "dockerflow.django.middleware.DockerflowMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    CELERY_BROKER_URL = values.Value("redis://redis:6379/0")
    OIDC_CREATE_USER = values.BooleanValue(True)
    DOCUMENT_IMAGE_MAX_SIZE = plain(10 * 2**20, values.IntegerValue)
    DATA_UPLOAD_MAX_MEMORY_SIZE = values.IntegerValue(20 * 2**20)
    TRASHBIN_CUTOFF_DAYS = plain(30, values.IntegerValue)
    COLLABORATION_API_URL = plain()
    COLLABORATION_WS_URL = plain()
    COLLABORATION_SERVER_SECRET = plain(kind=SecretFileValue)
    COLLABORATION_WS_NOT_CONNECTED_READ_ONLY = plain(False, values.BooleanValue)
    Y_PROVIDER_API_BASE_URL = plain()
    Y_PROVIDER_API_KEY = plain(kind=SecretFileValue)
    CONVERSION_UPLOAD_ENABLED = plain(False, values.BooleanValue)
    CONVERSION_FILE_EXTENSIONS_ALLOWED = plain([".docx", ".md"], values.ListValue)
    AI_FEATURE_ENABLED = plain(False, values.BooleanValue)
    FRONTEND_CSS_URL = plain()
    FRONTEND_JS_URL = plain()
    FRONTEND_SILENT_LOGIN_ENABLED = plain(False, values.BooleanValue)
    FRONTEND_HOMEPAGE_FEATURE_ENABLED = plain(True, values.BooleanValue)
    POSTHOG_KEY = plain(kind=SecretFileValue)
    SENTRY_DSN = plain()

    WANTED_EXTENSIONS = ("pg_trgm", "fuzzystrmatch", "unaccent")
    WANTS_VERSIONS = True
