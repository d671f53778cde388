"""The rules of `sealflow check` for cloud flows: one module for each kind of rule. `check` applies them all.

The folder has more than fifteen modules, because each one is an entry of one table of rules.
"""
