"""The reference API: endpoints for tasks, guarded by jwt-auth-bridge. Read ``main``, ``app``, ``routes``."""
