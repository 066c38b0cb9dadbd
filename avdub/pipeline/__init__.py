"""The dub, one stage a file, in the order data flows: plan, encode, speak, animate, run."""
