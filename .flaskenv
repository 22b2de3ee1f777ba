# What every developer shares; nothing secret. A variable of the environment, or of .env, goes before.
FLASK_APP=config.application:create_command_app
FLASK_CONFIG=dev
