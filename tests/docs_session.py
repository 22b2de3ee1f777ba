"""Holds an interactive session from standard input as `flask shell` would, and compares what it prints.

Run by ``docs_runner`` in a copy of the house; exit code 1 and a report for a session that goes another way.
"""

import doctest
import sys

from config import application

if __name__ == "__main__":
    app = application.create_command_app()
    test = doctest.DocTestParser().get_doctest(
        sys.stdin.read(), app.make_shell_context(), "page", None, 0
    )
    with app.app_context():
        results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    sys.exit(bool(results.failed) or not results.attempted)
