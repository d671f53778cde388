"""The machine of cloud flows: its state, its transitions and `decide`."""
