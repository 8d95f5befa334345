"""Backups that are proven: create, verify, restore, expire, and what decides about them."""
