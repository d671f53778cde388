"""What a worker does apart from runs: commands of other processes, polling, leadership, time."""
