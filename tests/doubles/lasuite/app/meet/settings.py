# SPDX-License-Identifier: MIT
"""Visio's own settings. Unlike Docs', those of the queue and of creating people have no prefix."""

from __future__ import annotations

from configurations import values
from core.settings import Common, named, plain
from lasuite.configuration.values import SecretFileValue


class Production(Common):
    """The configuration meant for people."""

    ROOT_URLCONF = "meet.urls"
    WSGI_APPLICATION = "meet.wsgi.application"
    # As in v1.27.0: the heartbeat comes last, so that a request by another host name gets 400
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "dockerflow.django.middleware.DockerflowMiddleware",
    ]
    CELERY_ENABLED = plain(False, values.BooleanValue)
    CELERY_BROKER_URL = plain("redis://redis:6379/0")
    CELERY_TASK_DEFAULT_QUEUE = plain("meet-backend")
    OIDC_CREATE_USER = plain(True, values.BooleanValue)
    OIDC_REDIRECT_FIELD_NAME = plain("returnTo")
    OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION = plain(False, values.BooleanValue)
    LIVEKIT_CONFIGURATION = {
        "api_key": named("LIVEKIT_API_KEY", kind=SecretFileValue),
        "api_secret": named("LIVEKIT_API_SECRET", kind=SecretFileValue),
        "url": named("LIVEKIT_API_URL"),
    }
    RESOURCE_DEFAULT_ACCESS_LEVEL = plain("public")
    ALLOW_UNREGISTERED_ROOMS = plain(True, values.BooleanValue)
    RECORDING_ENABLE = plain(False, values.BooleanValue)
    FILE_UPLOAD_ENABLED = plain(False, values.BooleanValue)
    AWS_S3_UPLOAD_POLICY_EXPIRATION = 60
    FRONTEND_ANALYTICS = plain({}, values.DictValue)
    FRONTEND_SUPPORT = plain({}, values.DictValue)
    FRONTEND_FEEDBACK = plain({}, values.DictValue)

    WANTED_EXTENSIONS = ("pg_trgm",)
