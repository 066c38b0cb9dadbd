"""What surrounds a dub: settings, manifests and batches of files in worker processes."""
