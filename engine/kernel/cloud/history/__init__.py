"""Views and copies of a cloud flow's run: history, traces, snapshots, strict replay."""
