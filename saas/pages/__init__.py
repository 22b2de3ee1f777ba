"""Server-rendered pages for the customer teams: plain HTML forms that work without JavaScript."""
