"""The machine of desktop flows: its plan, its state, its transitions and `decide`."""
