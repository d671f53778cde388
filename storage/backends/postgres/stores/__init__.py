"""The stores of the PostgreSQL backend: one module for each noun of the port."""
