# SPDX-License-Identifier: MIT
"""What is wrong with a file of other tools that holds passwords, said without repeating anything of it."""

from __future__ import annotations

import configparser
import json
import re

import yaml

#: what reading a broken YAML, JSON or INI file raises; PyYAML lets errors of a value's own form through as they are
BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError, configparser.Error)
#: problems of PyYAML whose text repeats what stands in the file: a password written without quotes
_REPEATED = re.compile(r"could not determine a constructor|found undefined (alias|tag handle)|duplicate tag handle")


def what_is_wrong(error: Exception) -> str:
    """What is wrong with a file, and in which line where that is known; never the line itself nor a part of it.

    error: one of `BROKEN`.
    """
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        what = error.problem or "it is not YAML"
        if _REPEATED.match(what) or (error.context or "").endswith((" a tag", " an alias")):
            what = "a tag or an alias stands there; a text that begins with ! or * goes in quotes"
        return f"line {error.problem_mark.line + 1}: {what}"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno}: it belongs to no [section]"
    if isinstance(error, configparser.ParsingError):
        # from Python 3.13 on, one of its kinds knows its line and has no list
        return f"line {getattr(error, 'lineno', None) or error.errors[0][0]}: neither a [section] nor `key = value`"
    if isinstance(error, configparser.DuplicateOptionError | configparser.DuplicateSectionError):
        return f"line {error.lineno}: it stands there already"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, json.JSONDecodeError | UnicodeError | yaml.YAMLError):
        return str(error).splitlines()[0]
    if isinstance(error, ValueError):
        return "something looks like a number or a date and is none; a text like that goes in quotes"
    return "it has not the shape that these tools read"
