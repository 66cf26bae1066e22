"""The door for the server: ``uvicorn todo_api.main:app``.

Wrong configuration ends the process here, with one sentence on standard error and exit status 1, before a
single request is answered.
"""

import logging

from jwt_auth_bridge import ConfigurationError
from jwt_auth_bridge.fastapi import Bridge

from .app import create_app
from .settings import Settings, SettingsError

# Uvicorn configures its own loggers only; without this the bridge's reasons for a 401 would go nowhere.
logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(name)s: %(message)s")

try:
    app = create_app(Settings.from_env(), Bridge.from_env())
except (ConfigurationError, SettingsError) as error:
    raise SystemExit(f"todo-api cannot start: {error}") from None
