"""Projects that build on the bronze layer, to be copied.

Belongs here: small, whole code locations that tests run. Stays out: anything that f1_bronze needs.
"""
