# SPDX-License-Identifier: MIT
"""What is generated from the code: the reference in docs/reference and the JSON Schemas for editors in schemas.

Written anew with `python -m suite_deploy.reference`, from a checkout; a test fails when a page is out of date.
"""
