"""The reading half of the stores, the same for every database: named queries in, rows of the port out.

What differs between databases (how a list is bound, how a page of bytes is cut) stays with each backend.
"""
