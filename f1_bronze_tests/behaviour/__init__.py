"""Behaviours that cross rooms; README.md lists which test checks which."""
