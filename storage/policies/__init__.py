"""Policies and acts of administrators: approvals, the audit, the ledger, anchors."""
