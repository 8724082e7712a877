"""Alembic's folder: how a store file of each older version becomes one of the next."""
