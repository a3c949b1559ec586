"""Generators of documents and templates from the declarations, for developers: `make docs`."""
