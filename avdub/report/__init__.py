"""What people look at: previews and the demo clip. Built on the pipeline, used by the cli."""
