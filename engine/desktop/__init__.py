"""The language of desktop flows: read, check and evaluate Robin scripts. The kernel runs them."""
