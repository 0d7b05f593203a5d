# SPDX-License-Identifier: MIT
"""Parts of a suite on clouds that speak OpenStack; they take ids, so that a cloud's own network fits them too."""
