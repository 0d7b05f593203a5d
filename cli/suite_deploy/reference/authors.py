# SPDX-License-Identifier: MIT
"""docs/reference/component-yml.md: the schema of a component, for whoever adds one."""

from __future__ import annotations

import inspect

from ..images.recipe import RecipeFile
from ..model.component import ComponentFile
from ..render import vocabulary
from .markdown import key_sections

_INTRO = """\
# component.yml and image.yml

`roles/<component>/component.yml` describes a component once: what it is, needs and may do. Shared code reads kinds
from it (service, database, route, secret …) and never a component's name. The steps are in
[adding a component](../adding-a-component.md); editors use
[schemas/component.schema.json](../../schemas/component.schema.json).

## Expressions

Values of `env`, `secret_env`, `routes` and options' defaults, and every template, may hold Jinja over these words and
no others; an unknown word stops the rendering.

```text
{words}
```

`{{{{ value | to_yaml }}}}` writes a value as YAML that nothing it holds can break. Secrets never stand in a rendered
file: `secret()` leaves a placeholder that is filled in on the host. A default of an option knows
`{{{{ suite.domain }}}}` only.

## Keys"""


def page() -> str:
    """The text of the page."""
    words = inspect.cleandoc(vocabulary.__doc__ or "").partition("\n\n")[2]
    parts = [_INTRO.format(words=words), *key_sections(ComponentFile)]
    recipe = [
        part.replace("## `", "### `", 1) if part.startswith("## `") else part for part in key_sections(RecipeFile)
    ]
    parts += ["# image.yml", inspect.cleandoc(_RECIPE), *recipe]
    return "\n\n".join(parts) + "\n"


_RECIPE = """\
`roles/<component>/image.yml` builds the component's image from packages, for where its upstream registry cannot be
reached. It honours the upstream image's contract (entrypoint, command, uid, ports, paths, environment), so that the
same unit runs either."""
