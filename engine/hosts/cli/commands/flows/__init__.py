"""Commands about flows: check, deploy, run, import, export, replay."""
