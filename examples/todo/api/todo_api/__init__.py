"""The reference API: a few endpoints for tasks, guarded by jwt-auth-bridge; read ``main``, ``app``, ``routes``."""
