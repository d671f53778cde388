"""Commands about keys, policies, approvals and the audit."""
