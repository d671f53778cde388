"""The stores of one environment, each for one kind of thing, behind the vault."""
