# SPDX-License-Identifier: MIT
"""Secrets of a suite: which kinds exist, where they are kept, how they are kept out of sight.

`wanted` says what is needed, `kinds` makes it, `store` keeps it (plain on local, vaulted values elsewhere),
`value.Secret` carries it, `redactor.Redactor` removes it from text.
"""
