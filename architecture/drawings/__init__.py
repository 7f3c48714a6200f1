"""The two architecture diagrams: their content (backend, frontend) and the drawing (svg)."""
