"""Where flows may connect: addresses, the policy that judges them, and connecting."""
