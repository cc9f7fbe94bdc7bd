"""A dual encoder: a tower for pictures and a tower for sentences that meet in one space."""
