# SPDX-License-Identifier: MIT
"""Container images: what an `image.yml` recipe says, building it without an engine, pins and registries."""
