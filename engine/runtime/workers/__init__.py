"""What a worker does beside runs: commands of other processes, polling, time."""
