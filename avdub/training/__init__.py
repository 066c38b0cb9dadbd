"""Training recipes and the preparation of their data. Never imported by inference."""
