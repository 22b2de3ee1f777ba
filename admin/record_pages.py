"""The product's own lists in the console: copy one for a model of yours."""

from __future__ import annotations

from admin.fields import Field
from admin.operator_view import OperatorView
from saas.operator import ConsolePermission


class ProjectsView(OperatorView):
    """Projects, the example resource."""

    permission = ConsolePermission.RECORD_READ
    fields = (
        Field("name", "Name", search=True, link=True),
        Field("description", "Description"),
        Field("created_at", "Made", "time"),
        Field("updated_at", "Changed", "time"),
    )
    nothing = "No account has a project yet."
