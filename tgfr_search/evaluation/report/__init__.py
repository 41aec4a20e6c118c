"""What a reader sees of a benchmark: everything is drawn from `report.json` alone (`draw.draw_report`)."""
