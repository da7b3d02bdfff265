"""Passwords and chance: what keeps strangers out."""
