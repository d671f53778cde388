"""The HTTP connector: requests, responses, large bodies, pagination and polling."""
