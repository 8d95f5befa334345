"""Sealing and signing: age for secrecy, SSHSIG for trust; both open with standard tools."""
