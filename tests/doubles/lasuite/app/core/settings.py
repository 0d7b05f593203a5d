# SPDX-License-Identifier: MIT
"""Settings of both applications; names, prefixes and defaults as in django-configurations upstream."""

from __future__ import annotations

from pathlib import Path
from socket import gethostbyname, gethostname

from configurations import Configuration, values
from lasuite.configuration.values import SecretFileValue

BASE_DIR = Path(__file__).resolve().parent.parent


def plain(default: object = None, kind: type[values.Value] = values.Value, **extra: object) -> values.Value:
    """A setting read without a prefix, by the name it is assigned to."""
    return kind(default, environ_prefix=None, **extra)


def named(name: str, default: object = None, kind: type[values.Value] = values.Value) -> values.Value:
    """A setting read at once, by this very name: for those inside dictionaries."""
    return kind(default, environ_name=name, environ_prefix=None)


class Common(Configuration):
    """What Docs and Meet read alike."""

    DEBUG = False
    API_VERSION = "v1.0"
    ALLOWED_HOSTS = [*values.ListValue([], environ_name="ALLOWED_HOSTS"), gethostbyname(gethostname())]
    SECRET_KEY = SecretFileValue(None)
    CSRF_TRUSTED_ORIGINS = values.ListValue([])
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 60
    SECURE_HSTS_PRELOAD = True
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SILENCED_SYSTEM_CHECKS = ["security.W002", "security.W009"]
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = ["^__lbheartbeat__", "^__heartbeat__"]
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_SECURE = True
    SECURE_REFERRER_POLICY = "same-origin"

    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": named("DB_NAME"),
            "USER": named("DB_USER"),
            "PASSWORD": named("DB_PASSWORD", kind=SecretFileValue),
            "HOST": named("DB_HOST"),
            "PORT": named("DB_PORT", 5432),
        }
    }
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": named("REDIS_URL", "redis://redis:6379/0"),
            "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"},
        }
    }
    SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    SESSION_COOKIE_AGE = plain(60 * 60 * 12, values.PositiveIntegerValue)

    STORAGES = {
        "default": {"BACKEND": "storages.backends.s3.S3Storage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    STATIC_URL = "/static/"
    STATIC_ROOT = "/data/static"
    MEDIA_URL = "/media/"
    MEDIA_BASE_URL = plain()
    AWS_S3_ENDPOINT_URL = plain()
    AWS_S3_ACCESS_KEY_ID = plain(kind=SecretFileValue)
    AWS_S3_SECRET_ACCESS_KEY = plain(kind=SecretFileValue)
    AWS_S3_REGION_NAME = plain()
    AWS_STORAGE_BUCKET_NAME = plain()
    AWS_S3_SIGNATURE_VERSION = plain("s3v4")

    LANGUAGE_CODE = values.Value("en-us")
    USE_TZ = True
    TIME_ZONE = "UTC"
    AUTH_USER_MODEL = "core.User"
    AUTHENTICATION_BACKENDS = ["core.accounts.Backend"]
    INSTALLED_APPS = [
        "core",
        "dockerflow.django",
        "rest_framework",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.postgres",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
        "mozilla_django_oidc",
    ]
    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["core.accounts.SessionWith401"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "PAGE_SIZE": 20,
    }

    EMAIL_BACKEND = values.Value("django.core.mail.backends.smtp.EmailBackend")
    EMAIL_HOST = values.Value(None)
    EMAIL_HOST_USER = values.Value(None)
    EMAIL_HOST_PASSWORD = SecretFileValue(None)
    EMAIL_PORT = values.PositiveIntegerValue(None)
    EMAIL_USE_TLS = values.BooleanValue(False)
    EMAIL_USE_SSL = values.BooleanValue(False)
    EMAIL_FROM = values.Value("from@example.com")
    EMAIL_TIMEOUT = 20

    OIDC_AUTHENTICATE_CLASS = "lasuite.oidc_login.views.OIDCAuthenticationRequestView"
    OIDC_CALLBACK_CLASS = "lasuite.oidc_login.views.OIDCAuthenticationCallbackView"
    OIDC_RP_SIGN_ALGO = plain("RS256")
    OIDC_RP_CLIENT_ID = plain()
    OIDC_RP_CLIENT_SECRET = plain(kind=SecretFileValue)
    OIDC_OP_JWKS_ENDPOINT = plain()
    OIDC_OP_AUTHORIZATION_ENDPOINT = plain()
    OIDC_OP_TOKEN_ENDPOINT = plain()
    OIDC_OP_USER_ENDPOINT = plain()
    OIDC_OP_LOGOUT_ENDPOINT = plain()
    OIDC_OP_URL = plain()
    OIDC_RP_SCOPES = plain("openid email")
    OIDC_USE_PKCE = plain(False, values.BooleanValue)
    OIDC_PKCE_CODE_CHALLENGE_METHOD = "S256"
    OIDC_PKCE_CODE_VERIFIER_SIZE = 64
    OIDC_TIMEOUT = plain(3, values.PositiveIntegerValue)
    OIDC_VERIFY_SSL = plain(True, values.BooleanValue)
    OIDC_STORE_ID_TOKEN = plain(True, values.BooleanValue)
    OIDC_REDIRECT_REQUIRE_HTTPS = plain(False, values.BooleanValue)
    OIDC_REDIRECT_ALLOWED_HOSTS = plain([], values.ListValue)
    OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION = plain(True, values.BooleanValue)
    OIDC_ALLOW_DUPLICATE_EMAILS = False
    OIDC_USERINFO_FULLNAME_FIELDS = plain(["first_name", "last_name"], values.ListValue)
    OIDC_USERINFO_SHORTNAME_FIELD = plain("first_name")
    ALLOW_LOGOUT_GET_METHOD = plain(True, values.BooleanValue)
    LOGIN_REDIRECT_URL = plain()
    LOGIN_REDIRECT_URL_FAILURE = plain()
    LOGOUT_REDIRECT_URL = plain()

    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["console"], "level": named("LOGGING_LEVEL_LOGGERS_ROOT", "INFO")},
    }

    # Not upstream's: what the double looks for before it starts
    WANTED_EXTENSIONS: tuple[str, ...] = ()
    WANTS_VERSIONS = False
