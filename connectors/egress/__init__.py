"""Where flows may connect to: addresses, the policy that judges them, and connecting."""
