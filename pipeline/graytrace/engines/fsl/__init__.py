"""FSL behind the stages of Graytrace."""
