"""What the report and the dashboard share: one look, one template environment, and the three layers of a slide."""
