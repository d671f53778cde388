"""The expressions of Robin scripts: values, operators, functions, and their compilation to closures."""
