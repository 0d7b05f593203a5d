# SPDX-License-Identifier: MIT
"""Reads rendered files from the build tree for the module `suite_files`."""

from __future__ import annotations

from pathlib import Path


def with_content(files, directory):
    """Each file of `files` with the text found at its `source` below `directory`, ready for `suite_files`."""
    return [
        {key: value for key, value in item.items() if key != "source"}
        | {"content": (Path(directory) / item["source"]).read_text(encoding="utf-8")}
        for item in files
    ]


class FilterModule:
    """The filters of this role."""

    def filters(self):
        return {"with_content": with_content}
