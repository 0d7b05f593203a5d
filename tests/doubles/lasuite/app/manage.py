# SPDX-License-Identifier: MIT
"""Django's command line, as in the images this stands for."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_CONFIGURATION", "Development")
    from configurations.management import execute_from_command_line

    execute_from_command_line(sys.argv)
