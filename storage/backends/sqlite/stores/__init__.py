"""The stores of the SQLite backend: one module for each noun of the port."""
