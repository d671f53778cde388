"""The rules of `sealflow check` for cloud flows: one module for each kind of rule, and `check`, which applies them all.

There are more than fifteen: each is an entry of one table of rules.
"""
