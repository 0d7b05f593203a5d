# SPDX-License-Identifier: MIT
"""Paths as in Docs."""

from core.api import me
from django.urls import include, path
from lasuite.oidc_login.urls import urlpatterns as sign_in

from . import api, media

DOCUMENT = "documents/<uuid:pk>/"

urlpatterns = [
    path(
        "api/v1.0/",
        include(
            [
                path("config/", api.config),
                path("users/me/", me),
                path("documents/", api.documents),
                path("documents/media-auth/", media.media_auth),
                path(DOCUMENT, api.document),
                path(f"{DOCUMENT}content/", api.content),
                path(f"{DOCUMENT}versions/", api.versions),
                path(f"{DOCUMENT}link-configuration/", api.link_configuration),
                path(f"{DOCUMENT}attachment-upload/", media.attachment_upload),
                path(f"{DOCUMENT}media-check/", media.media_check, name="documents-media-check"),
                *sign_in,
            ]
        ),
    )
]
