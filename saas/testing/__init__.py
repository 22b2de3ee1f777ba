"""The permission matrix as a pytest plugin: every route, as everybody, upon own, foreign and missing objects.

``pytest_plugins = ["saas.testing"]`` in the top conftest switches it on. The rest is said with the words below;
``docs/permissions.md`` tells how. Nothing of the product imports this room.
"""

from saas.testing import (  # they declare what the product brings
    principals,
    product_bodies,
    product_objects,
)
from saas.testing.places import Place
from saas.testing.plugin import (
    permission_matrix,
    pytest_addoption,
    pytest_terminal_summary,
)
from saas.testing.registry import (
    NotDeclaredError,
    body,
    deviation,
    factory,
    form,
    leave_out,
    principal,
    query,
)
from saas.testing.world import Caller, World

__all__ = [
    "Caller",
    "NotDeclaredError",
    "Place",
    "World",
    "body",
    "deviation",
    "factory",
    "form",
    "leave_out",
    "permission_matrix",
    "principal",
    "principals",
    "product_bodies",
    "product_objects",
    "pytest_addoption",
    "pytest_terminal_summary",
    "query",
]
