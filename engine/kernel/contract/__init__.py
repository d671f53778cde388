"""What both machines share: records, events, commands, time, randomness, and the choice of the machine."""
