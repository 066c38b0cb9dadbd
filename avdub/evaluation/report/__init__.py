"""What was measured as a Markdown file with plots: figures, their units and by what means.

Never measures anything. Built without torch, so that a command can check its output first.
"""
