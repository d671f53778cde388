"""Policies and what administrators do: approvals, the audit, anchors."""
