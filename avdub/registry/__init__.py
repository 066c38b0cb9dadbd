"""Models that a user brings: what there is, how official files become ours, where they lie."""
