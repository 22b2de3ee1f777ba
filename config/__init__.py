"""Where the house is plugged together: settings, log, application, commands."""
