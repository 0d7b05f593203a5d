#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Bring the accounts and buckets of a VersityGW to what is described."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.suite_s3 import Gateway, Refused, Unreachable, parse

DOCUMENTATION = r"""
---
module: suite_buckets
short_description: Accounts, buckets, policies, versioning and CORS of a VersityGW
description:
  - For each entry of O(buckets) there is one account, one bucket, and one policy that opens this bucket to this
    account. Buckets belong to the root account, so no account can change its policy or remove its bucket.
  - Accounts that are not listed are removed. A bucket that is not listed keeps its objects and versions, loses its
    policy and is returned in RV(kept).
  - Versioning is switched on where asked for and never off; CORS rules are exactly what is asked for.
  - Secrets are compared and sent in signed requests only, the administration API is reached through a Unix socket.
options:
  endpoint: {description: URL of the S3 interface on this host., type: str, required: true}
  admin_socket: {description: Unix socket of the administration API., type: path, required: true}
  root_access_key: {description: Access key of the root account., type: str, required: true}
  root_secret: {description: Its secret key., type: str, required: true}
  region: {description: Region the gateway was started with., type: str, required: true}
  buckets:
    description: What shall be there.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of the bucket., type: str, required: true}
      access_key: {description: Access key of the account that uses it., type: str, required: true}
      secret: {description: Secret key of that account., type: str, required: true}
      versioning: {description: Whether old versions are kept., type: bool, default: false}
      cors_origins: {description: Origins whose pages may reach it., type: list, elements: str, default: []}
author: The suite-deploy authors
"""

EXAMPLES = r"""
- name: Buckets are as described
  suite_buckets:
    endpoint: http://127.0.0.1:20060
    admin_socket: /srv/objectstore/iam/admin.sock
    root_access_key: suite-root
    root_secret: "{{ suite_secrets['objectstore.root'] }}"
    region: us-east-1
    buckets:
      - {name: suite-docs, access_key: suite-docs, secret: "{{ suite_secrets['docs.bucket'] }}", versioning: true}
"""

RETURN = r"""
changes: {description: What was changed, one sentence each., returned: always, type: list}
kept: {description: Buckets that nobody uses any more and whose data is kept., returned: always, type: list}
"""

POLICY_VERSION = "2012-10-17"
#: what an application does with its own bucket; everything about the bucket itself stays with the root account
BUCKET_ACTIONS = ("GetBucketLocation", "GetBucketVersioning", "ListBucket", "ListBucketMultipartUploads")
BUCKET_ACTIONS += ("ListBucketVersions",)
OBJECT_ACTIONS = ("AbortMultipartUpload", "DeleteObject", "DeleteObjectTagging", "DeleteObjectVersion", "GetObject")
OBJECT_ACTIONS += ("GetObjectAttributes", "GetObjectTagging", "GetObjectVersion", "GetObjectVersionAttributes")
OBJECT_ACTIONS += ("GetObjectVersionTagging", "ListMultipartUploadParts", "PutObject", "PutObjectTagging")
CORS_METHODS = ("GET", "HEAD", "PUT", "POST")
CORS_EXPOSED = ("ETag", "Content-Length", "Content-Type", "Content-Disposition", "x-amz-version-id")
CORS_SECONDS = 3600
ACCOUNT_ROLE = "user"


def policy_of(bucket, access_key):
    """The policy that opens a bucket to one account."""

    def statement(actions, resource):
        return {
            "Effect": "Allow",
            "Principal": {"AWS": [access_key]},
            "Action": [f"s3:{action}" for action in actions],
            "Resource": [f"arn:aws:s3:::{resource}"],
        }

    statements = [statement(BUCKET_ACTIONS, bucket), statement(OBJECT_ACTIONS, f"{bucket}/*")]
    return {"Version": POLICY_VERSION, "Statement": statements}


def cors_rule(origins):
    """The one rule of a bucket that pages of `origins` reach: element name and texts, in the order they are sent."""
    exposed = [("ExposeHeader", name) for name in CORS_EXPOSED]
    allowed = [("AllowedOrigin", origin) for origin in origins] + [("AllowedMethod", name) for name in CORS_METHODS]
    return [*allowed, ("AllowedHeader", "*"), *exposed, ("MaxAgeSeconds", str(CORS_SECONDS))]


def document(root, elements):
    """A flat XML document."""
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements)
    return f"<{root}>{inner}</{root}>".encode()


class Store:
    """What the gateway has now, and the steps that change it. check_mode: only note the steps."""

    def __init__(self, s3, admin, check_mode):
        self._s3, self._admin, self._check_mode = s3, admin, check_mode
        self.changes = []
        self.accounts = self._read_accounts()
        self.buckets = self._read_buckets()

    def _read_accounts(self):
        listed = parse(self._admin.call("PATCH", "/list-users")).all("Accounts")
        return {item.text_of("Access"): (item.text_of("Secret"), item.text_of("Role")) for item in listed}

    def _read_buckets(self):
        listed = parse(self._admin.call("PATCH", "/list-buckets")).all("Buckets")
        return {item.text_of("Name") for item in listed}

    def step(self, sentence, gateway, method, path, query=None, body=b""):
        """Note a change and make it, unless this is only a check."""
        self.changes.append(sentence)
        if not self._check_mode:
            gateway.call(method, path, query, body)

    def setting(self, bucket, name):
        """A sub-resource of a bucket, or nothing when the bucket has none of it, or is not there yet."""
        if bucket not in self.buckets:
            return None
        try:
            return self._s3.call("GET", f"/{bucket}", {name: ""})
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def ensure_account(self, access_key, secret):
        """One account with this secret and no rights of its own."""
        found = self.accounts.get(access_key)
        if found is None:
            parts = [("Access", access_key), ("Secret", secret), ("Role", ACCOUNT_ROLE)]
            body = document("Account", [*parts, ("UserID", "0"), ("GroupID", "0"), ("ProjectID", "0")])
            self.step(f"account {access_key} is new", self._admin, "PATCH", "/create-user", body=body)
        elif found != (secret, ACCOUNT_ROLE):
            what = "secret" if found[0] != secret else "role"
            body = document("MutableProps", [("Secret", secret), ("Role", ACCOUNT_ROLE)])
            sentence = f"account {access_key} has another {what}"
            self.step(sentence, self._admin, "PATCH", "/update-user", {"access": access_key}, body)

    def ensure_bucket(self, bucket):
        if bucket not in self.buckets:
            self.step(f"bucket {bucket} is new", self._s3, "PUT", f"/{bucket}")

    def ensure_versioning(self, bucket):
        """Old versions are kept from now on; never switched off, because versions may be somebody's only copy."""
        found = self.setting(bucket, "versioning")
        status = parse(found).text_of("Status") if found else ""
        if status != "Enabled":
            body = document("VersioningConfiguration", [("Status", "Enabled")])
            self.step(f"bucket {bucket} keeps versions", self._s3, "PUT", f"/{bucket}", {"versioning": ""}, body)

    def ensure_policy(self, bucket, access_key):
        wanted, found = policy_of(bucket, access_key), self.setting(bucket, "policy")
        if found is None or json.loads(found) != wanted:
            body = json.dumps(wanted).encode()
            self.step(f"bucket {bucket} is open to {access_key}", self._s3, "PUT", f"/{bucket}", {"policy": ""}, body)

    def ensure_cors(self, bucket, origins):
        found = self.setting(bucket, "cors")
        rules = parse(found).all("CORSRule") if found else []
        now = [sorted((element.name, element.text) for element in rule.children) for rule in rules]
        if now == ([sorted(cors_rule(origins))] if origins else []):
            return
        if not origins:
            sentence = f"no page reaches bucket {bucket} any more"
            self.step(sentence, self._s3, "DELETE", f"/{bucket}", {"cors": ""})
            return
        inner = document("CORSRule", cors_rule(origins)).decode()
        body = f"<CORSConfiguration>{inner}</CORSConfiguration>".encode()
        self.step(f"pages reach bucket {bucket}", self._s3, "PUT", f"/{bucket}", {"cors": ""}, body)

    def close(self, bucket):
        """Nobody but the root account reaches a bucket any more; its data stays."""
        if self.setting(bucket, "policy") is not None:
            self.step(f"bucket {bucket} is closed", self._s3, "DELETE", f"/{bucket}", {"policy": ""})
        self.ensure_cors(bucket, [])

    def remove_account(self, access_key):
        query = {"access": access_key}
        self.step(f"account {access_key} is removed", self._admin, "PATCH", "/delete-user", query)


def converge(store, wanted):
    """Make the store hold what is wanted; returns the buckets that are kept for their data only."""
    for item in wanted:
        store.ensure_account(item["access_key"], item["secret"])
        store.ensure_bucket(item["name"])
        if item["versioning"]:
            store.ensure_versioning(item["name"])
        store.ensure_policy(item["name"], item["access_key"])
        store.ensure_cors(item["name"], item["cors_origins"])
    kept = sorted(store.buckets - {item["name"] for item in wanted})
    for bucket in kept:
        store.close(bucket)
    for access_key in sorted(set(store.accounts) - {item["access_key"] for item in wanted}):
        store.remove_account(access_key)
    return kept


def twice(values):
    """What occurs more than once."""
    return sorted({value for value in values if values.count(value) > 1})


def main():
    module = AnsibleModule(
        argument_spec={
            "endpoint": {"type": "str", "required": True},
            "admin_socket": {"type": "path", "required": True},
            "root_access_key": {"type": "str", "required": True, "no_log": False},
            "root_secret": {"type": "str", "required": True, "no_log": True},
            "region": {"type": "str", "required": True},
            "buckets": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "access_key": {"type": "str", "required": True, "no_log": False},
                    "secret": {"type": "str", "required": True, "no_log": True},
                    "versioning": {"type": "bool", "default": False},
                    "cors_origins": {"type": "list", "elements": "str", "default": []},
                },
            },
        },
        supports_check_mode=True,
    )
    given = module.params
    account = (given["root_access_key"], given["root_secret"], given["region"])
    # a first run that is only checked finds no service, and need not wait for one
    patience = 0 if module.check_mode else 10
    s3 = Gateway(given["endpoint"], *account, patience=patience)
    admin = Gateway(given["admin_socket"], *account, patience=patience)
    for key in ("name", "access_key"):
        again = twice([item[key] for item in given["buckets"]])
        if again:
            module.fail_json(msg=f"several buckets have the same {key}: {', '.join(again)}")
    try:
        store = Store(s3, admin, module.check_mode)
        kept = converge(store, given["buckets"])
    except Unreachable as error:
        if module.check_mode:
            module.exit_json(changed=True, changes=[f"cannot be foretold: {error}"], kept=[])
        module.fail_json(msg=str(error))
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(store.changes), changes=store.changes, kept=kept)


if __name__ == "__main__":
    main()
