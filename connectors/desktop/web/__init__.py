"""The Web and WebAutomation modules."""
