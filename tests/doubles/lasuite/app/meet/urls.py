# SPDX-License-Identifier: MIT
"""Paths as in Meet."""

from core.api import me
from django.urls import include, path
from lasuite.oidc_login.urls import urlpatterns as sign_in

from . import api, files

urlpatterns = [
    path(
        "api/v1.0/",
        include(
            [
                path("config/", api.config),
                path("users/me/", me),
                path("rooms/", api.rooms),
                path("rooms/webhooks-livekit/", api.webhook),
                path("rooms/<str:pk>/", api.room),
                path("files/", files.files),
                path("files/media-auth/", files.media_auth),
                path("files/<uuid:pk>/", files.file),
                path("files/<uuid:pk>/upload-ended/", files.upload_ended),
                *sign_in,
            ]
        ),
    )
]
