"""Keys: who can open backups, which keys this host holds, and drills that show they still work."""
