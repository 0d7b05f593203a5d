# SPDX-License-Identifier: MIT
"""People and what they make: documents, rooms, files."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class User(AbstractBaseUser):
    """A person, known by the identity provider's `sub` and nothing else."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sub = models.CharField(max_length=255, unique=True)
    email = models.EmailField(null=True)
    full_name = models.CharField(max_length=100, null=True)
    short_name = models.CharField(max_length=100, null=True)
    is_active = models.BooleanField(default=True)

    objects = BaseUserManager()
    USERNAME_FIELD = "sub"


class Made(models.Model):
    """Something one person made."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    creator = models.ForeignKey(User, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class Document(Made):
    """Its content is an object in the bucket, and its history the object's versions."""

    title = models.CharField(max_length=255, null=True)
    link_reach = models.CharField(max_length=20, default="restricted")
    link_role = models.CharField(max_length=20, default="reader", null=True)
    attachments = models.JSONField(default=list)

    @property
    def file_key(self) -> str:
        return f"{self.pk}/file"


class Room(Made):
    """A meeting."""

    name = models.CharField(max_length=500)
    slug = models.SlugField(max_length=100, unique=True)
    access_level = models.CharField(max_length=50)
    events = models.JSONField(default=list)


class File(Made):
    """A picture to show behind oneself."""

    filename = models.CharField(max_length=255)
    type = models.CharField(max_length=50)
    upload_state = models.CharField(max_length=20, default="pending")

    @property
    def extension(self) -> str:
        return self.filename.rpartition(".")[2].lower()

    @property
    def file_key(self) -> str:
        return f"files/{self.pk}.{self.extension}"

    @property
    def temporary_key(self) -> str:
        return f"tmp/files/{self.pk}.{self.extension}"
